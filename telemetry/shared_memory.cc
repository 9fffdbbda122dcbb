#include "telemetry/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace telemetry {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

bool is_valid(const Layout& layout) {
  return layout.workers > 0 && layout.workers <= kMaxWorkers && layout.max_series > 0 &&
         layout.max_series <= kMaxSeriesLimit;
}

}  // namespace

base::Result<SharedMemory> SharedMemory::create(std::uint32_t workers, std::uint32_t max_series) {
  const Layout layout{.workers = workers, .max_series = max_series};
  if (!is_valid(layout)) return base::fail(base::Errc::invalid, "telemetry memory: workers or series out of range");
  base::UniqueFd memfd(memfd_create("fairlead-telemetry", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return base::fail_errno("memfd_create");
  if (ftruncate(memfd.get(), static_cast<off_t>(layout.total())) != 0) return base::fail_errno("ftruncate memfd");
  if (fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0) return base::fail_errno("seal memfd");
  auto memory = map(std::move(memfd), layout);
  if (!memory) return memory;
  memory->header().magic = kMagic;
  memory->header().workers = workers;
  memory->header().max_series = max_series;
  return memory;
}

base::Result<SharedMemory> SharedMemory::open(base::UniqueFd memfd) {
  const int seals = fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0) return base::fail_errno("telemetry memory: F_GET_SEALS");
  if ((seals & kSeals) != kSeals) return base::fail(base::Errc::invalid, "telemetry memory: size is not sealed");
  struct stat status{};
  if (fstat(memfd.get(), &status) != 0) return base::fail_errno("telemetry memory: fstat");
  Header header{};
  constexpr std::size_t kFixedPart = offsetof(Header, attached_workers);
  if (pread(memfd.get(), static_cast<void*>(&header), kFixedPart, 0) != static_cast<ssize_t>(kFixedPart)) {
    return base::fail(base::Errc::invalid, "telemetry memory: too short");
  }
  const Layout layout{.workers = header.workers, .max_series = header.max_series};
  if (header.magic != kMagic || !is_valid(layout) || static_cast<std::size_t>(status.st_size) != layout.total()) {
    return base::fail(base::Errc::invalid, "telemetry memory: not made by this version");
  }
  return map(std::move(memfd), layout);
}

base::Result<SharedMemory> SharedMemory::map(base::UniqueFd memfd, Layout layout) {
  void* base = mmap(nullptr, layout.total(), PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
  if (base == MAP_FAILED) return base::fail_errno("mmap telemetry memory");
  return SharedMemory(std::move(memfd), static_cast<std::byte*>(base), layout);
}

SharedMemory::SharedMemory(base::UniqueFd memfd, std::byte* base, Layout layout)
    : memfd_(std::move(memfd)), base_(base), layout_(layout) {}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : memfd_(std::move(other.memfd_)), base_(std::exchange(other.base_, nullptr)), layout_(other.layout_) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this != &other) {
    if (base_ != nullptr) munmap(base_, layout_.total());
    memfd_ = std::move(other.memfd_);
    base_ = std::exchange(other.base_, nullptr);
    layout_ = other.layout_;
  }
  return *this;
}

SharedMemory::~SharedMemory() {
  if (base_ != nullptr) munmap(base_, layout_.total());
}

base::Result<base::UniqueFd> SharedMemory::duplicate_fd() const {
  base::UniqueFd copy(fcntl(memfd_.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return base::fail_errno("duplicate memfd");
  return copy;
}

}  // namespace telemetry
