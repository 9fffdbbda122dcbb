#pragma once

namespace cli {

int run_version();

}  // namespace cli
