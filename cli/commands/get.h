#pragma once

#include <cstdint>
#include <string>

#include "cli/source.h"
#include "cli/terminal.h"

namespace cli {

enum class Listed : std::uint8_t { workloads, services, endpoints, policies };

struct GetOptions {
  Source source;
  OutputFormat format = OutputFormat::table;
  Listed what = Listed::workloads;
  std::string name;  // part of it; empty: all
};

int run_get(const GetOptions& options, const Terminal& terminal);

}  // namespace cli
