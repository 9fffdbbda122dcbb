#pragma once

namespace cli {

// The same for every command, so that scripts can rely on it.
enum ExitCode : int {
  kGood = 0,
  kBad = 1,    // the thing asked about is bad: a check failed, the proxy is down, a document has errors
  kUsage = 2,  // the question was wrong: unknown option, unreadable file, invalid document
};

}  // namespace cli
