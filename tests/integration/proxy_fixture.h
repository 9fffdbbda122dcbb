#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/local_proxy.h"

namespace tests {

using support::destination_rule;
using support::kHost;
using support::virtual_service;

class ProxyTest : public ::testing::Test, protected support::LocalProxy {};

}  // namespace tests
