#include "cli/views/state_colour.h"

namespace cli {

Colour colour_of(std::string_view state) {
  if (state == "active" || state == "redirected") return Colour::green;
  if (state == "rejected" || state == "error") return Colour::red;
  if (state == "partial" || state == "pending" || state == "skipped") return Colour::yellow;
  return Colour::dim;
}

}  // namespace cli
