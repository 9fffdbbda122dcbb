#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

enum class Colour : std::uint8_t { plain, bold, dim, green, yellow, red, cyan };

// How to write to one stream: colours only on a terminal, never with NO_COLOR (no-color.org) or TERM=dumb.
class Terminal {
 public:
  explicit Terminal(bool has_colours) : has_colours_(has_colours) {}
  static Terminal of(int fd);

  [[nodiscard]] std::string paint(Colour colour, std::string_view text) const;

 private:
  bool has_colours_;
};

// Columns padded to their widest cell, two blanks between them, none at the end of a line.
class Table {
 public:
  struct Cell {
    std::string text;
    Colour colour = Colour::plain;
  };

  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::size_t row_count() const { return rows_.size(); }
  [[nodiscard]] std::string to_string(const Terminal& terminal, std::string_view indent = "") const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

// What a terminal shows in one column each: UTF-8 continuation bytes do not count.
std::size_t display_width(std::string_view text);

// Text from elsewhere (documents, names, bodies) without control bytes, so that it cannot drive the terminal.
std::string printable(std::string_view text);

}  // namespace cli
