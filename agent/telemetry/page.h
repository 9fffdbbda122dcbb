#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agent::telemetry {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

// `name` as in the text format: counters end in _total.
struct Family {
  std::string_view name;
  MetricType type;
  std::string_view help;
};

enum class PageFormat : std::uint8_t { text, openmetrics };  // 0.0.4; 1.0.0

// A bound as Prometheus 3 stores `le`: 0.5, 1.0, 1.8e+06.
std::string bound_text(double bound);
std::vector<std::string> bound_texts(std::span<const double> bounds);

// Writes one exposition page. Families and samples come in the order of the calls; a family without samples leaves no
// trace. The page goes out in pieces, so a large one needs no memory of its size.
class Page {
 public:
  using Sink = std::function<void(std::string_view)>;
  static constexpr std::size_t kPieceBytes = 64UL * 1024;

  Page(PageFormat format, Sink sink);

  // What follows belongs to this family.
  void family(const Family& family);
  // `labels` is LabelText's form; may be empty.
  void sample(std::string_view labels, std::uint64_t value);
  void sample(std::string_view labels, std::int64_t value);
  void sample(std::string_view labels, double value);
  // `buckets` are not cumulative and one more than `bounds`, which are texts of bound_text().
  void histogram(std::string_view labels, std::span<const std::string> bounds, std::span<const std::uint64_t> buckets,
                 double sum);
  // Ends the page.
  void finish();

 private:
  void start_sample(std::string_view suffix, std::string_view labels, std::string_view bound = {});
  template <typename Number>
  void end_sample(Number value);

  PageFormat format_;
  Sink sink_;
  std::string buffer_;
  const Family* family_ = nullptr;
  bool has_header_ = false;
};

}  // namespace agent::telemetry
