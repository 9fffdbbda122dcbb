#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channel/messages.h"

// Messages as bytes. Whatever comes from the other side is checked: indices in range, sizes bounded, descriptors there.
namespace channel {

struct Encoded {
  std::string bytes;             // a serialised Frame
  std::vector<int> descriptors;  // owned by the message
};
Encoded encode(const Message& message);

// Takes the frame's descriptors from the front of `descriptors`.
base::Result<Message> decode(std::string_view bytes, std::vector<base::UniqueFd>& descriptors);

}  // namespace channel
