#pragma once

#include <string>

#include "base/random.h"

namespace proxy {

// A UUID v4 whose 15th character is '4': no trace decision (OBSERVABILITY 8). Replaces `out`.
void make_request_id(base::Random& random, std::string& out);

}  // namespace proxy
