#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "telemetry/shard_layout.h"

namespace telemetry {

// A mapped memfd with the layout of shard_layout.h. Its size is sealed, so no process can cut it short under another.
class SharedMemory {
 public:
  // New and empty. `max_series` is the capacity of each kind; pages are used only as series come.
  static base::Result<SharedMemory> create(std::uint32_t workers, std::uint32_t max_series);
  // Maps one made by create(); fails on anything else, so what a possibly broken process hands over is safe to read.
  static base::Result<SharedMemory> open(base::UniqueFd memfd);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  [[nodiscard]] int fd() const { return memfd_.get(); }
  [[nodiscard]] base::Result<base::UniqueFd> duplicate_fd() const;
  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] Header& header() const { return *at<Header>(0); }
  [[nodiscard]] Slot& slot(Kind kind, std::uint32_t index) const { return at<Slot>(layout_.slots(kind))[index]; }
  [[nodiscard]] HostSlot& host(std::uint32_t index) const { return at<HostSlot>(layout_.hosts())[index]; }
  [[nodiscard]] WorkerCounters& worker(std::uint32_t index) const { return *at<WorkerCounters>(layout_.worker(index)); }
  [[nodiscard]] Word* row(std::uint32_t worker, Kind kind, std::uint32_t index) const {
    return at<Word>(layout_.rows(worker, kind)) + index * kRowWords[static_cast<std::size_t>(kind)];
  }

 private:
  SharedMemory(base::UniqueFd memfd, std::byte* base, Layout layout);
  static base::Result<SharedMemory> map(base::UniqueFd memfd, Layout layout);
  template <typename T>
  [[nodiscard]] T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

  base::UniqueFd memfd_;
  std::byte* base_ = nullptr;
  Layout layout_;
};

}  // namespace telemetry
