#pragma once

#include <memory>

#include "channel/channel.pb.h"
#include "config/model/node_config.h"

namespace channel {

void write(fairlead::channel::NodeConfig& to, const config::NodeConfig& from);
// Throws Invalid (wire_values.h): whoever wrote it may have been taken over.
std::shared_ptr<const config::NodeConfig> read(const fairlead::channel::NodeConfig& from);

}  // namespace channel
