#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

TEST(Terminal, PaintsOnlyWhenItHasColours) {
  EXPECT_EQ(Terminal(true).paint(Colour::green, "ok"), "\033[32mok\033[0m");
  EXPECT_EQ(Terminal(true).paint(Colour::plain, "ok"), "ok");
  EXPECT_EQ(Terminal(true).paint(Colour::green, ""), "");
  EXPECT_EQ(Terminal(false).paint(Colour::green, "ok"), "ok");
}

TEST(Table, AlignsColumnsByWhatIsSeen) {
  Table table;
  table.add({{"näme", Colour::bold}, {"b"}, {"c"}});
  table.add({{"x"}, {"longer"}, {""}});
  table.add({{"y"}, {""}, {"z"}});
  EXPECT_EQ(table.to_string(Terminal(false), "  "), "  näme  b       c\n  x     longer\n  y             z\n");
  EXPECT_EQ(table.to_string(Terminal(true)), "\033[1mnäme\033[0m  b       c\nx     longer\ny             z\n");
}

TEST(Printable, TakesControlBytesOut) { EXPECT_EQ(printable("a\033[2Jb\nc\x7f\xc3\xa4"), "a?[2Jb?c?\xc3\xa4"); }

}  // namespace
}  // namespace cli
