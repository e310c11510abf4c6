#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "codec/json.h"
#include "model/tiny.h"

// A model is a file: this command speaks to no service.

namespace tenbin::cli {

namespace {

/// Under another name until it is whole: no engine ever sees a part of it.
Result<void> write_file(const std::string& path, const GgufFile& model) {
  const std::string part = path + ".part";
  const auto why = [] { return failed(std::strerror(errno)); };  // NOLINT(concurrency-mt-unsafe)
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return why();
  auto done = model.write([&](std::string_view bytes) -> Result<void> {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return why();
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  });
  if (::close(file) != 0 && done) done = why();
  if (done && ::rename(part.c_str(), path.c_str()) != 0) done = why();
  if (!done) ::unlink(part.c_str());
  return done;
}

}  // namespace

Outcome<int> model_tiny(Context& context, const Words& words) {
  TinyModel model;
  std::string out, kind, ctx, width, layers, heads, hidden, seed;
  bool expect = false;
  Options options(*words.command, "--out FILE");
  options.value("--out", "FILE", out, Phrase::opt_model_out)
      .value("--kind", "reply|random", kind, Phrase::opt_model_kind)
      .flag("--repeat", model.repeat, Phrase::opt_model_repeat)
      .flag("--expect", expect, Phrase::opt_model_expect)
      .value("--ctx", "N", ctx, Phrase::opt_model_ctx)
      .value("--width", "N", width, Phrase::opt_model_width)
      .value("--layers", "N", layers, Phrase::opt_model_layers)
      .value("--heads", "N", heads, Phrase::opt_model_heads)
      .value("--hidden", "N", hidden, Phrase::opt_model_hidden)
      .value("--seed", "N", seed, Phrase::opt_model_seed)
      .value("--name", "NAME", model.name, Phrase::opt_model_name);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (out.empty())
    return stop(Exit::usage, "usage", context.say(Phrase::model_no_out),
                context.say(Phrase::hint_model_out));

  const auto bad = [&](std::string_view flag, std::string_view value, Phrase hint) {
    return stop(Exit::usage, "usage", context.say(Phrase::model_bad_value, flag, value),
                context.say(hint, words.command->name));
  };
  if (kind == "random") {
    model.kind = TinyModel::Kind::random;
  } else if (!kind.empty() && kind != "reply") {
    return bad("--kind", kind, Phrase::hint_help);
  }
  const auto number = [](const std::string& text, auto& to) {
    if (text.empty()) return true;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, to);
    return read.ec == std::errc{} && read.ptr == end;
  };
  if (!number(ctx, model.context)) return bad("--ctx", ctx, Phrase::hint_model_number);
  if (!number(width, model.width)) return bad("--width", width, Phrase::hint_model_number);
  if (!number(layers, model.layers)) return bad("--layers", layers, Phrase::hint_model_number);
  if (!number(heads, model.heads)) return bad("--heads", heads, Phrase::hint_model_number);
  if (!number(hidden, model.hidden)) return bad("--hidden", hidden, Phrase::hint_model_number);
  if (!number(seed, model.seed)) return bad("--seed", seed, Phrase::hint_model_number);

  const auto file = tiny_model(model, context.look.language == Language::japanese);
  if (!file)
    return stop(Exit::usage, "usage", file.error().what,
                context.say(Phrase::hint_help, words.command->name));
  if (const auto written = write_file(out, *file); !written)
    return stop(Exit::failed, "model_unwritable",
                context.say(Phrase::model_unwritable, out, written.error().what));

  const TinyReply reply = tiny_reply();
  if (expect || context.format == Format::json) {
    std::string json;
    JsonWriter to(json);
    to.begin_object()
        .member("file", out)
        .member("bytes", file->size())
        .member("vocab", reply.vocabulary);
    if (model.kind == TinyModel::Kind::reply) {
      to.member("reply", reply.text)
          .member("reply_tokens", reply.tokens)
          .member("characters", reply.characters)
          .member("utf8_bytes", reply.text.size())
          .member("repeats", model.repeat);
    }
    to.end_object();
    context.print_line(json);
    return 0;
  }
  context.note(context.say(Phrase::model_written, out, grouped(std::to_string(file->size())),
                           reply.vocabulary));
  return 0;
}

}  // namespace tenbin::cli
