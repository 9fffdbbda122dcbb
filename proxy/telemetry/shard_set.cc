#include "proxy/telemetry/shard_set.h"

#include <mutex>
#include <unordered_map>

namespace proxy::telemetry {

using ::telemetry::Header;
using ::telemetry::HostSlot;
using ::telemetry::KeyWords;
using ::telemetry::kHostBytes;
using ::telemetry::Kind;
using ::telemetry::kKeyWords;
using ::telemetry::kKinds;
using ::telemetry::kRowWords;
using ::telemetry::kUnknownHosts;
using ::telemetry::Layout;
using ::telemetry::SeriesKey;
using ::telemetry::SharedMemory;
using ::telemetry::Slot;
using ::telemetry::slot_generation;
using ::telemetry::slot_state;
using ::telemetry::slot_tag;
using ::telemetry::SlotState;
using ::telemetry::Word;
using ::telemetry::WorkerCounters;

namespace {

struct KeyHash {
  std::size_t operator()(const KeyWords& words) const {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : words) hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15 + (hash >> 29U);
    return hash;
  }
};

constexpr Kind kind_of(std::size_t index) { return static_cast<Kind>(index); }

KeyWords read_key(const Slot& slot) {
  KeyWords words;
  for (std::size_t i = 0; i < kKeyWords; ++i) words[i] = slot.key[i].load(std::memory_order_relaxed);
  return words;
}

// The reader takes the key only between two equal active tags, so a half-written key is never seen.
void publish(Slot& slot, const KeyWords& key) {
  const std::uint64_t generation = slot_generation(slot.tag.load(std::memory_order_relaxed)) + 1;
  slot.tag.store(slot_tag(generation, SlotState::claimed), std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = 0; i < kKeyWords; ++i) slot.key[i].store(key[i], std::memory_order_relaxed);
  slot.tag.store(slot_tag(generation, SlotState::active), std::memory_order_release);
}

SeriesKey overflow_key(const SeriesKey& key) {
  return {.source = SeriesKey::kOverflowId,
          .service = SeriesKey::kOverflowId,
          .destination = SeriesKey::kOverflowId,
          .pod = SeriesKey::kOverflowId,
          .reporter = key.reporter};
}

// A name that a label may show: what can stand in a Host field and nothing that needs escaping.
bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' ||
         c == ']';
}

}  // namespace

// Which key has which slot, for the writers. Guarded by `mutex`; the shared memory itself is the reader's truth.
struct ShardSet::Index {
  struct PerKind {
    std::unordered_map<KeyWords, std::uint32_t, KeyHash> slots;
    std::vector<std::uint32_t> free;
    std::uint32_t high_water = Layout::kOverflowSlots;
  };
  std::mutex mutex;
  std::array<PerKind, kKinds> kinds;
  std::uint32_t used = 0;  // slots of all kinds that are not free, without the overflow slots
  std::uint64_t freed_sequence = 0;
  std::uint32_t host_count = 0;

  // Reads the slots again: at the start, and when the agent has freed some.
  void rebuild(const SharedMemory& memory);
};

void ShardSet::Index::rebuild(const SharedMemory& memory) {
  freed_sequence = memory.header().freed_sequence.load(std::memory_order_acquire);
  used = 0;
  for (std::size_t k = 0; k < kKinds; ++k) {
    PerKind& kind = kinds[k];
    kind.slots.clear();
    kind.free.clear();
    for (std::uint32_t i = kind.high_water; i-- > 0;) {
      const Slot& slot = memory.slot(kind_of(k), i);
      const bool is_reserved = i < Layout::kOverflowSlots;
      if (slot_state(slot.tag.load(std::memory_order_acquire)) == SlotState::free) {
        if (!is_reserved) kind.free.push_back(i);
        continue;
      }
      kind.slots[read_key(slot)] = i;
      if (!is_reserved) ++used;
    }
  }
}

ShardSet::ShardSet(SharedMemory memory) : memory_(std::move(memory)), index_(std::make_unique<Index>()) {}
ShardSet::~ShardSet() = default;

base::Result<std::unique_ptr<ShardSet>> ShardSet::attach(base::UniqueFd memfd) {
  auto memory = SharedMemory::open(std::move(memfd));
  if (!memory) return tl::unexpected(memory.error());
  auto shards = std::unique_ptr<ShardSet>(new ShardSet(std::move(*memory)));
  const SharedMemory& shared = shards->memory_;
  const Layout& layout = shared.layout();
  Header& header = shared.header();
  for (std::size_t k = 0; k < kKinds; ++k) {
    const std::uint64_t high_water = header.high_water[k].load(std::memory_order_acquire);
    auto& index = shards->index_->kinds[k];
    index.high_water =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(high_water, Layout::kOverflowSlots, layout.capacity()));
    header.high_water[k].store(index.high_water, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < index.high_water; ++i) {
      // The last proxy died while it wrote this key.
      Slot& slot = shared.slot(kind_of(k), i);
      const std::uint64_t tag = slot.tag.load(std::memory_order_relaxed);
      if (slot_state(tag) == SlotState::claimed) {
        slot.tag.store(slot_tag(slot_generation(tag), SlotState::free), std::memory_order_release);
      }
    }
  }
  shards->index_->rebuild(shared);
  for (auto& count = shards->index_->host_count; count < kUnknownHosts; ++count) {
    if (shared.host(count).size.load(std::memory_order_acquire) == 0) break;
  }
  for (std::uint32_t worker = 0; worker < layout.workers; ++worker) {
    WorkerCounters& counters = shared.worker(worker);
    for (Word& gauge : counters.connections) gauge.store(0, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < shards->index_->kinds[static_cast<std::size_t>(Kind::pod)].high_water; ++i) {
      Word* row = shared.row(worker, Kind::pod, i);
      row[::telemetry::row::pod::kConnections].store(0, std::memory_order_relaxed);
      row[::telemetry::row::pod::kBufferedBytes].store(0, std::memory_order_relaxed);
    }
    counters.retire_seen.store(header.retire_sequence.load(std::memory_order_acquire), std::memory_order_release);
  }
  header.attached_workers.store(layout.workers, std::memory_order_release);
  return shards;
}

base::Result<std::unique_ptr<ShardSet>> ShardSet::create_private(std::uint32_t workers, std::uint32_t max_series) {
  auto memory = SharedMemory::create(workers, max_series);
  if (!memory) return tl::unexpected(memory.error());
  auto fd = memory->duplicate_fd();
  if (!fd) return tl::unexpected(fd.error());
  return attach(std::move(*fd));
}

std::uint32_t ShardSet::workers() const { return memory_.layout().workers; }

ShardSet::Handle ShardSet::resolve(Kind kind, const SeriesKey& key, std::uint32_t max_series) {
  const std::scoped_lock lock(index_->mutex);
  Index::PerKind& index = index_->kinds[static_cast<std::size_t>(kind)];
  const auto words = std::bit_cast<KeyWords>(key);

  if (const auto found = index.slots.find(words); found != index.slots.end()) {
    Slot& slot = memory_.slot(kind, found->second);
    std::uint64_t tag = slot.tag.load(std::memory_order_acquire);
    const std::uint64_t active = slot_tag(slot_generation(tag), SlotState::active);
    // Fails when the agent frees the slot at this moment.
    if (slot_state(tag) == SlotState::retiring && slot.tag.compare_exchange_strong(tag, active)) tag = active;
    if (tag == active) {
      return {.index = found->second,
              .generation = slot_generation(tag),
              .is_overflow = found->second < Layout::kOverflowSlots};
    }
    index.slots.erase(found);
  }

  if (index_->freed_sequence != memory_.header().freed_sequence.load(std::memory_order_acquire)) {
    index_->rebuild(memory_);
  }
  std::uint32_t chosen = static_cast<std::uint32_t>(key.reporter) % Layout::kOverflowSlots;
  bool is_overflow = true;
  if (index_->used < std::min(max_series, memory_.layout().max_series)) {
    if (!index.free.empty()) {
      chosen = index.free.back();
      index.free.pop_back();
      is_overflow = false;
    } else if (index.high_water < memory_.layout().capacity()) {
      chosen = index.high_water++;
      memory_.header().high_water[static_cast<std::size_t>(kind)].store(index.high_water, std::memory_order_release);
      is_overflow = false;
    }
  }
  Slot& slot = memory_.slot(kind, chosen);
  if (is_overflow) {
    if (slot_state(slot.tag.load(std::memory_order_relaxed)) != SlotState::active) {
      publish(slot, std::bit_cast<KeyWords>(overflow_key(key)));
    }
  } else {
    publish(slot, words);
    index.slots[words] = chosen;
    ++index_->used;
  }
  return {.index = chosen,
          .generation = slot_generation(slot.tag.load(std::memory_order_relaxed)),
          .is_overflow = is_overflow};
}

std::uint32_t ShardSet::resolve_host(std::string_view host) {
  if (host.empty() || host.size() > kHostBytes) return 0;
  std::array<char, kHostBytes> text{};
  for (std::size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    text[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!is_host_character(text[i])) return 0;
  }
  const auto words = std::bit_cast<std::array<std::uint64_t, kHostBytes / 8>>(text);

  const std::scoped_lock lock(index_->mutex);
  for (std::uint32_t i = 0; i < index_->host_count; ++i) {
    const HostSlot& slot = memory_.host(i);
    if (std::equal(words.begin(), words.end(), slot.text.begin(),
                   [](std::uint64_t a, const Word& b) { return a == b.load(std::memory_order_relaxed); })) {
      return i | SeriesKey::kHostBit;
    }
  }
  if (index_->host_count == kUnknownHosts) return 0;
  HostSlot& slot = memory_.host(index_->host_count);
  for (std::size_t i = 0; i < words.size(); ++i) slot.text[i].store(words[i], std::memory_order_relaxed);
  slot.size.store(host.size(), std::memory_order_release);
  return index_->host_count++ | SeriesKey::kHostBit;
}

Word* ShardSet::row(std::uint32_t worker, Kind kind, Handle handle) {
  Word* const row = memory_.row(worker, kind, handle.index);
  if (row[0].load(std::memory_order_relaxed) != handle.generation) {
    row[0].store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    const std::size_t words = kRowWords[static_cast<std::size_t>(kind)];
    for (std::size_t i = 1; i < words; ++i) row[i].store(0, std::memory_order_relaxed);
    row[0].store(handle.generation, std::memory_order_release);
  }
  return row;
}

}  // namespace proxy::telemetry
