#pragma once

#include <cstdint>
#include <string>

#include "model/gguf.h"

// A language model for tests, made here and not trained: an engine that reads GGUF files of the
// "llama" architecture loads it as it would any other and does its arithmetic with it.

namespace tenbin {

struct TinyModel {
  /// reply: says one Japanese text, whatever it is asked, and ends: its length in tokens is known.
  /// random: weights by chance, so noise, as long as one lets it go on; for load.
  enum class Kind : std::uint8_t { reply, random };
  Kind kind = Kind::reply;
  bool repeat = false;            // of reply: the text again and again, until it is cut
  std::uint32_t context = 4'096;  // tokens
  std::uint32_t width = 128, layers = 2, heads = 4, hidden = 256;
  std::uint64_t seed = 1;
  std::string name;  // none: from the kind
};

/// What a model of the kind `reply` says.
struct TinyReply {
  std::string text;
  std::uint32_t tokens = 0;      // without the end token
  std::uint32_t characters = 0;  // Unicode's
  std::uint32_t vocabulary = 0;
};
TinyReply tiny_reply();

/// Errors: a shape that no model has (in the words of the language), with the figure.
Result<GgufFile> tiny_model(const TinyModel& model, bool japanese);

}  // namespace tenbin
