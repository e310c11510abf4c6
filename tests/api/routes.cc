// Prints the table of routes, one operation a line, for openapi_test.py: method, path, operation,
// whether it is open, whether it takes a body, its parameters.

#include <cstdio>

#include "api/api.h"

int main() {
  using namespace tenbin;
  for (const Route& route : Api::routes()) {
    std::printf("%s %s %s %s %s %s\n", std::string(route.method).c_str(), route.path.c_str(),
                route.operation.c_str(), route.entry == Entry::open ? "open" : "token",
                route.body == Body::json ? "json" : "none", route.parameters.c_str());
  }
}
