# cmake -DROOT=dir -DFILES="a;b" -DOUTPUT=x.cc -P embed.cmake: the files' texts as a table in C++, so that the program is
# complete by itself.
set(entries "")
foreach(file IN LISTS FILES)
  file(READ ${ROOT}/${file} text)
  string(APPEND entries "    {\"${file}\", R\"__embedded__(${text})__embedded__\"},\n")
endforeach()
file(WRITE ${OUTPUT}
"// Made by cli/demo/embed.cmake.
#include \"cli/demo/examples.h\"

#include <array>

namespace cli::demo {
namespace {
constexpr std::array kExamples{std::to_array<Example>({
${entries}})};
}  // namespace

std::span<const Example> examples() { return kExamples; }

}  // namespace cli::demo
")
