// The one translation unit that holds Boost.JSON; everybody else includes <boost/json.hpp> or a part of it.
#include <boost/json/src.hpp>
