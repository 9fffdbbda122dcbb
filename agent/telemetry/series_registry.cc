#include "agent/telemetry/series_registry.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>
#include <utility>

namespace agent::telemetry {

using ::telemetry::kHostBytes;
using ::telemetry::Kind;
using ::telemetry::kKeyWords;
using ::telemetry::kKinds;
using ::telemetry::kRowWords;
using ::telemetry::kUnknownHosts;
using ::telemetry::Layout;
using ::telemetry::SeriesKey;
using ::telemetry::Slot;
using ::telemetry::slot_generation;
using ::telemetry::slot_state;
using ::telemetry::slot_tag;
using ::telemetry::SlotState;
using ::telemetry::Word;

namespace {

struct SeenSlot {
  std::uint64_t generation;
  SeriesKey key;
};

// None when the slot holds no series. A tag that changes while the key is read is read again; only a writer gone wrong
// does that more than once or twice.
std::optional<SeenSlot> read_slot(const Slot& slot) {
  for (int attempt = 0; attempt < 16; ++attempt) {
    const std::uint64_t tag = slot.tag.load(std::memory_order_acquire);
    const SlotState state = slot_state(tag);
    if (slot_generation(tag) == 0 || (state != SlotState::active && state != SlotState::retiring)) return std::nullopt;
    ::telemetry::KeyWords words;
    for (std::size_t i = 0; i < kKeyWords; ++i) words[i] = slot.key[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (slot.tag.load(std::memory_order_relaxed) != tag) continue;
    return SeenSlot{.generation = slot_generation(tag), .key = std::bit_cast<SeriesKey>(words)};
  }
  return std::nullopt;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view(".-_:[]").find(c) != std::string_view::npos;
}

constexpr Kind kind_of(std::size_t index) { return static_cast<Kind>(index); }

}  // namespace

SeriesRegistry::SeriesRegistry(::telemetry::SharedMemory memory, LabelFunction labels, GoneFunction is_gone)
    : memory_(std::move(memory)), labels_(std::move(labels)), is_gone_(std::move(is_gone)) {}

void SeriesRegistry::collect(base::TimePoint now) {
  has_new_retirements_ = false;
  for (std::size_t k = 0; k < kKinds; ++k) {
    collect(kind_of(k), now);
    add_up(kind_of(k));
  }
  // Told once, after all tags are set: a worker that sees the new number has no handle that is older.
  if (has_new_retirements_) memory_.header().retire_sequence.fetch_add(1, std::memory_order_acq_rel);
}

void SeriesRegistry::collect(Kind kind, base::TimePoint now) {
  PerKind& all = kinds_[static_cast<std::size_t>(kind)];
  const std::uint64_t high_water =
      memory_.header().high_water[static_cast<std::size_t>(kind)].load(std::memory_order_acquire);
  const auto count = static_cast<std::size_t>(
      std::clamp<std::uint64_t>(high_water, Layout::kOverflowSlots, memory_.layout().capacity()));
  if (all.series.size() < count) all.series.resize(count);
  for (std::uint32_t i = 0; i < all.series.size(); ++i) {
    Series& series = all.series[i];
    const std::optional<SeenSlot> seen = read_slot(memory_.slot(kind, i));
    if (!seen || seen->generation != series.generation) {
      if (series.generation != 0) remove(all, series);
      if (!seen) continue;
      series.generation = seen->generation;
      series.key = seen->key;
      series.last_change = now;
      series.set = all.sets.try_emplace(labels_(kind, series.key)).first;
      ++series.set->second.members;
    }
    read_values(kind, i, series.generation);
    if (sum_ != series.values) {
      series.values = sum_;
      series.last_change = now;
      series.is_scraped = false;
    }
    retire(kind, i, series, now);
  }
}

void SeriesRegistry::retire(Kind kind, std::uint32_t index, Series& series, base::TimePoint now) {
  if (index < Layout::kOverflowSlots) return;
  Slot& slot = memory_.slot(kind, index);
  std::uint64_t active = slot_tag(series.generation, SlotState::active);
  std::uint64_t retiring = slot_tag(series.generation, SlotState::retiring);
  const bool is_used = now == series.last_change || has_live_gauge(kind, series);

  if (slot.tag.load(std::memory_order_acquire) != retiring) {
    series.retire_sequence = 0;
    // A pod's own row is one of several sums of a number that goes on: it goes with the pod.
    const bool is_idle = kind != Kind::pod && now - series.last_change >= kIdleTime;
    const bool is_due = is_idle || is_gone_(kind, series.key);
    if (!series.is_scraped || is_used || !is_due) return;
    if (slot.tag.compare_exchange_strong(active, retiring)) {
      series.retire_sequence = memory_.header().retire_sequence.load(std::memory_order_relaxed) + 1;
      has_new_retirements_ = true;
    }
    return;
  }
  // An agent before this one may have begun; then this one waits for the workers once more.
  if (is_used || series.retire_sequence == 0) {
    slot.tag.compare_exchange_strong(retiring, active);
    series.retire_sequence = 0;
    return;
  }
  if (!workers_have_seen(series.retire_sequence)) return;
  // No worker has a handle now. What was counted until then is in the row; one that wants the series again makes the
  // slot active first, and the exchange fails.
  read_values(kind, index, series.generation);
  if (sum_ != series.values) return;
  if (!slot.tag.compare_exchange_strong(retiring, slot_tag(series.generation, SlotState::free))) return;
  memory_.header().freed_sequence.fetch_add(1, std::memory_order_acq_rel);
  PerKind& all = kinds_[static_cast<std::size_t>(kind)];
  ++all.expired;
  remove(all, series);
}

// Others with the same labels go on: together they must not count backwards.
void SeriesRegistry::remove(PerKind& kind, Series& series) {
  LabelSet& set = series.set->second;
  if (--set.members == 0) {
    kind.sets.erase(series.set);
  } else {
    set.base.resize(std::max(set.base.size(), series.values.size()));
    for (std::size_t i = 0; i < series.values.size(); ++i) set.base[i] += series.values[i];
  }
  series = Series{};
}

void SeriesRegistry::add_up(Kind kind) {
  PerKind& all = kinds_[static_cast<std::size_t>(kind)];
  const std::size_t words = kRowWords[static_cast<std::size_t>(kind)];
  for (auto& [labels, set] : all.sets) {
    set.values = set.base;
    set.values.resize(words);
  }
  for (const Series& series : all.series) {
    if (series.generation == 0) continue;
    for (std::size_t i = 1; i < words; ++i) series.set->second.values[i] += series.values[i];
  }
}

void SeriesRegistry::read_values(Kind kind, std::uint32_t index, std::uint64_t generation) {
  const std::size_t words = kRowWords[static_cast<std::size_t>(kind)];
  sum_.assign(words, 0);
  row_.resize(words);
  for (std::uint32_t worker = 0; worker < memory_.layout().workers; ++worker) {
    const Word* const shared = memory_.row(worker, kind, index);
    if (shared[0].load(std::memory_order_acquire) != generation) continue;
    for (std::size_t i = 1; i < words; ++i) row_[i] = shared[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (shared[0].load(std::memory_order_relaxed) != generation) continue;
    for (std::size_t i = 1; i < words; ++i) sum_[i] += row_[i];
  }
}

bool SeriesRegistry::has_live_gauge(Kind kind, const Series& series) const {
  namespace pod = ::telemetry::row::pod;
  return kind == Kind::pod && (series.values[pod::kConnections] != 0 || series.values[pod::kBufferedBytes] != 0);
}

bool SeriesRegistry::workers_have_seen(std::uint64_t retire_sequence) const {
  const std::uint64_t attached = memory_.header().attached_workers.load(std::memory_order_acquire);
  const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(attached, memory_.layout().workers));
  for (std::uint32_t worker = 0; worker < count; ++worker) {
    if (memory_.worker(worker).retire_seen.load(std::memory_order_acquire) < retire_sequence) return false;
  }
  return true;
}

void SeriesRegistry::mark_scraped() {
  for (PerKind& kind : kinds_) {
    for (Series& series : kind.series) series.is_scraped = true;
  }
}

void SeriesRegistry::relabel() {
  for (std::size_t k = 0; k < kKinds; ++k) {
    LabelSets sets;
    for (Series& series : kinds_[k].series) {
      if (series.generation == 0) continue;
      series.set = sets.try_emplace(labels_(kind_of(k), series.key)).first;
      ++series.set->second.members;
    }
    kinds_[k].sets = std::move(sets);
    add_up(kind_of(k));
  }
}

std::uint64_t SeriesRegistry::series_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t k = 0; k < kKinds; ++k) {
    const std::uint64_t slots = kinds_[k].series.size();
    bytes += slots * (sizeof(Slot) + memory_.layout().workers * kRowWords[k] * sizeof(Word));
  }
  return bytes;
}

std::string SeriesRegistry::unknown_host(std::uint32_t index) const {
  if (index >= kUnknownHosts) return {};
  const ::telemetry::HostSlot& slot = memory_.host(index);
  const std::uint64_t size = slot.size.load(std::memory_order_acquire);
  if (size > kHostBytes) return {};
  std::array<std::uint64_t, kHostBytes / 8> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = slot.text[i].load(std::memory_order_relaxed);
  const auto text = std::bit_cast<std::array<char, kHostBytes>>(words);
  std::string host(text.data(), static_cast<std::size_t>(size));
  return std::ranges::all_of(host, is_host_character) ? host : std::string();
}

}  // namespace agent::telemetry
