#include "cli/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace cli {
namespace {

volatile std::sig_atomic_t g_interruption = 0;
volatile std::sig_atomic_t g_recipient = -1;

void on_signal(int number) {
  g_interruption = number;
  const bool is_ours_alone = number == SIGINT || number == SIGQUIT || number == SIGPIPE;
  if (g_recipient > 0 && !is_ours_alone) ::kill(g_recipient, number);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::sigaction(number, &action, nullptr);
}

int interruption() { return g_interruption; }

void pass_interrupts_to(pid_t pid) {
  g_recipient = pid;
  if (pid > 0 && g_interruption != 0) ::kill(pid, g_interruption);
}

}  // namespace cli
