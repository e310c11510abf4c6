# Writes the bytes of FROM into TO as a C++ function NAME (see tenbin_embed).
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}")
file(WRITE ${TO} "#include <string_view>
namespace tenbin {
std::string_view ${NAME}();
static constexpr char bytes[] = {
${bytes}};
std::string_view ${NAME}() { return {bytes, sizeof bytes}; }
}  // namespace tenbin
")
