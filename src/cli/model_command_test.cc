// `model tiny` as it is typed: what it writes, says and refuses.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/fake_service.h"
#include "model/tiny.h"

namespace tenbin::cli {
namespace {

TEST_CASE("model tiny: writes the file, tells what it will say, asks no service") {
  Fake fake;
  Folder folder;
  const std::string file = folder.put("tiny.gguf", "");
  const Ran ran = fake.run({"model", "tiny", "--out", file, "--ctx", "512", "--expect"});
  CHECK(ran.exit == 0);
  const TinyReply reply = tiny_reply();
  CHECK(has(ran.out, "\"reply\":\"" + reply.text + "\""));
  CHECK(has(ran.out, "\"reply_tokens\":" + std::to_string(reply.tokens)));
  CHECK(has(ran.out, "\"bytes\":" + std::to_string(std::filesystem::file_size(file))));
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  CHECK(bytes.starts_with("GGUF\3"));
  CHECK_FALSE(std::filesystem::exists(file + ".part"));

  const Ran noise = fake.run({"model", "tiny", "--out", file, "--kind", "random", "--lang", "ja"});
  CHECK(noise.exit == 0);
  CHECK(has(noise.err, "語彙"));
  CHECK_FALSE(
      has(fake.run({"model", "tiny", "--out", file, "--kind", "random", "--expect"}).out, "reply"));
  CHECK(fake.asked().empty());
}

TEST_CASE("model tiny: what cannot be is refused with what can") {
  Fake fake;
  Folder folder;
  const std::string file = folder.put("tiny.gguf", "as it was");
  const auto refused = [&](Args flags) {
    Args args{"model", "tiny", "--out", file};
    args.insert(args.end(), flags.begin(), flags.end());
    const Ran ran = fake.run(args);
    CHECK(ran.exit == 2);
    return ran.err;
  };
  CHECK(has(refused({"--kind", "real"}), "--kind cannot be real"));
  CHECK(has(refused({"--ctx", "12k"}), "--ctx cannot be 12k"));
  CHECK(has(refused({"--width", "-1"}), "--width"));
  CHECK(has(refused({"--width", "100"}), "multiple of 32"));
  CHECK(has(refused({"--kind", "random", "--repeat"}), "repeat"));
  CHECK(fake.run({"model", "tiny"}).exit == 2);
  CHECK(std::filesystem::file_size(file) == 9);
  const Ran nowhere = fake.run({"model", "tiny", "--out", folder.path() + "/none/x.gguf"});
  CHECK(nowhere.exit == 1);
  CHECK(has(nowhere.err, "No such file"));
}

}  // namespace
}  // namespace tenbin::cli
