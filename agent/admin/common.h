#pragma once

#include <cstdint>
#include <string>

#include <boost/json/value.hpp>

// What more than one page needs.
namespace agent::admin {

// null when there is none.
boost::json::value limit(std::uint32_t value);
std::string kernel_release();

}  // namespace agent::admin
