#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

// Objects of the API server, read forgivingly: what is missing or of another type reads as nothing.
namespace cli::cluster {

base::Result<boost::json::value> parse(std::string_view text);

inline const boost::json::value* at(const boost::json::value& value) { return &value; }
template <typename... Names>
const boost::json::value* at(const boost::json::value& value, std::string_view name, Names... names) {
  const auto* const object = value.if_object();
  const auto* const member = object == nullptr ? nullptr : object->if_contains(name);
  return member == nullptr ? nullptr : at(*member, names...);
}

std::string text(const boost::json::value* value);
std::uint64_t number(const boost::json::value* value);
bool truth(const boost::json::value* value);
const boost::json::array& items(const boost::json::value* value);

}  // namespace cli::cluster
