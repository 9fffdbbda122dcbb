#include "agent/telemetry/page.h"

#include <charconv>
#include <cmath>
#include <utility>

namespace agent::telemetry {
namespace {

constexpr std::string_view kTotal = "_total";

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "untyped";
}

std::string_view without_total(std::string_view name) {
  return name.ends_with(kTotal) ? name.substr(0, name.size() - kTotal.size()) : name;
}

template <typename Number>
void append_number(std::string& out, Number value) {
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    return;
  }
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

}  // namespace

std::string bound_text(double bound) {
  if (std::isinf(bound)) return "+Inf";
  const auto format = std::abs(bound) >= 1e6 ? std::chars_format::scientific : std::chars_format::fixed;
  char buffer[64];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, bound, format).ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::vector<std::string> bound_texts(std::span<const double> bounds) {
  std::vector<std::string> texts;
  for (const double bound : bounds) texts.push_back(bound_text(bound));
  return texts;
}

Page::Page(PageFormat format, Sink sink) : format_(format), sink_(std::move(sink)) {
  buffer_.reserve(kPieceBytes + 4096);
}

void Page::family(const Family& family) {
  family_ = &family;
  has_header_ = false;
}

void Page::start_sample(std::string_view suffix, std::string_view labels, std::string_view bound) {
  if (!has_header_) {
    has_header_ = true;
    const std::string_view name = format_ == PageFormat::openmetrics ? without_total(family_->name) : family_->name;
    for (const auto& [keyword, text] : {std::pair{"# HELP ", family_->help}, {"# TYPE ", type_name(family_->type)}}) {
      buffer_ += keyword;
      buffer_ += name;
      buffer_ += ' ';
      buffer_ += text;
      buffer_ += '\n';
    }
  }
  buffer_ += family_->name;
  buffer_ += suffix;
  if (!labels.empty() || !bound.empty()) {
    buffer_ += '{';
    buffer_ += labels;
    if (!bound.empty()) {
      if (!labels.empty()) buffer_ += ',';
      buffer_ += "le=\"";
      buffer_ += bound;
      buffer_ += '"';
    }
    buffer_ += '}';
  }
  buffer_ += ' ';
}

template <typename Number>
void Page::end_sample(Number value) {
  append_number(buffer_, value);
  buffer_ += '\n';
  if (buffer_.size() >= kPieceBytes) {
    sink_(buffer_);
    buffer_.clear();
  }
}

void Page::sample(std::string_view labels, std::uint64_t value) {
  start_sample({}, labels);
  end_sample(value);
}
void Page::sample(std::string_view labels, std::int64_t value) {
  start_sample({}, labels);
  end_sample(value);
}
void Page::sample(std::string_view labels, double value) {
  start_sample({}, labels);
  end_sample(value);
}

void Page::histogram(std::string_view labels, std::span<const std::string> bounds,
                     std::span<const std::uint64_t> buckets, double sum) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    start_sample("_bucket", labels, i < bounds.size() ? std::string_view(bounds[i]) : "+Inf");
    end_sample(count);
  }
  start_sample("_sum", labels);
  end_sample(sum);
  start_sample("_count", labels);
  end_sample(count);
}

void Page::finish() {
  if (format_ == PageFormat::openmetrics) buffer_ += "# EOF\n";
  if (!buffer_.empty()) sink_(buffer_);
  buffer_.clear();
}

}  // namespace agent::telemetry
