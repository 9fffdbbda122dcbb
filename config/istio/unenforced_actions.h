#pragma once

#include "config/istio/common.h"

// What an http rule may ask for and this version does not do. It is checked as strictly as the rest, so that a document
// does not start to be refused on the day it is.
namespace config::istio {

void check_unenforced_actions(const Node& rule, Report& report);

}  // namespace config::istio
