#include "proxy/upstream/shared_pod.h"

#include <gtest/gtest.h>

namespace proxy::upstream {
namespace {

TEST(SharedPods, WorkersOfOnePodShareItsBackends) {
  SharedPods pods;
  const auto of_one_worker = pods.find_or_make(7);
  const auto of_another = pods.find_or_make(7);
  EXPECT_EQ(of_one_worker->backend("outbound|80||a"), of_another->backend("outbound|80||a"));
  EXPECT_NE(of_one_worker->backend("outbound|80||a"), of_another->backend("outbound|80||b"));
  EXPECT_EQ(pods.list().size(), 1);
  EXPECT_EQ(pods.list().front()->backends().size(), 2);
}

TEST(SharedPods, APodIsForgottenWhenTheLastWorkerDropsIt) {
  SharedPods pods;
  auto of_one_worker = pods.find_or_make(7);
  auto of_another = pods.find_or_make(7);
  const std::weak_ptr<SharedBackend> backend = of_one_worker->backend("outbound|80||a");
  of_one_worker.reset();
  EXPECT_FALSE(backend.expired());
  of_another.reset();
  EXPECT_TRUE(backend.expired());
  EXPECT_TRUE(pods.list().empty());
}

TEST(SharedPods, APodThatComesBackStartsAnew) {
  SharedPods pods;
  pods.find_or_make(7)->connections = 3;
  EXPECT_EQ(pods.find_or_make(7)->connections.load(), 0);
}

TEST(SharedPods, APodThatComesBackWhileOldConnectionsLastIsTheSame) {
  SharedPods pods;
  const auto with_old_connections = pods.find_or_make(7);
  EXPECT_EQ(pods.find_or_make(7), with_old_connections);
}

}  // namespace
}  // namespace proxy::upstream
