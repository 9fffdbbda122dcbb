#pragma once

#include "base/unique_fd.h"

namespace tests::support {

// Something that a scripted upstream waits for and the test lets happen; once open it stays open. Its descriptor is
// readable when open, so that a waiter can watch its peer meanwhile. Any thread.
class Gate {
 public:
  Gate();

  void open();
  [[nodiscard]] bool is_open() const;
  [[nodiscard]] int fd() const { return event_.get(); }

 private:
  base::UniqueFd event_;
};

}  // namespace tests::support
