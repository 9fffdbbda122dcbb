// Preloaded into the product as it is shipped: counts what each of its threads takes from the heap, in a file that the
// benchmark reads. FAIRLEAD_BENCH_ALLOCATIONS names it; the file is mapped before the sandbox closes.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

std::atomic<std::uint64_t> unread{0};
std::atomic<std::uint64_t>* counter = &unread;

// One file for each process: agent and proxy both inherit the variable.
__attribute__((constructor)) void map_counter() {
  const char* const base = std::getenv("FAIRLEAD_BENCH_ALLOCATIONS");
  if (base == nullptr) return;
  const std::string path = std::string(base) + "." + std::to_string(::getpid());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof *counter) != 0) return;
  void* const memory = ::mmap(nullptr, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory != MAP_FAILED) counter = static_cast<std::atomic<std::uint64_t>*>(memory);
}

void count() { counter->fetch_add(1, std::memory_order_relaxed); }

}  // namespace

extern "C" {
// The C library's own names for what is replaced here.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
}
