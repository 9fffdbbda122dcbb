#include "cli/commands/version.h"

#include <sys/utsname.h>

#include <cstdio>

#include "cli/exit_code.h"

namespace cli {

int run_version() {
  utsname name{};
  ::uname(&name);
  std::printf("fairlead %s (Linux %s, %s)\n", FAIRLEAD_VERSION, name.release, name.machine);
  return kGood;
}

}  // namespace cli
