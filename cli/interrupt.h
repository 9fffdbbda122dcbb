#pragma once

#include <sys/types.h>

// Ctrl-C and its like: commands that have something to clean up must not die of them, nor of output that nobody reads.
namespace cli {

// From now on SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE are remembered instead of ending this process.
void watch_interrupts();

// The signal that came; 0: none.
int interruption();

// Also hands each of them to this process, at once for one that came before. SIGINT and SIGQUIT are left out: the
// terminal sends them to the whole group; and SIGPIPE, which is about our own output. -1: to nobody.
void pass_interrupts_to(pid_t pid);

}  // namespace cli
