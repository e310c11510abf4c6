// The file that is written is read back here by a reader of the public specification that knows
// nothing of the writer, and the text that it shall say is worked out from its weights, as an
// engine would.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "base/utf8.h"
#include "model/tiny.h"

namespace tenbin {
namespace {

using Value = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::string>,
                           std::vector<float>, std::vector<std::int32_t>>;

struct Read {
  std::uint32_t version = 0;
  std::map<std::string, Value> values;
  struct Tensor {
    std::vector<std::uint64_t> dimensions;
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    std::vector<float> elements;
  };
  std::map<std::string, Tensor> tensors;
};

float float_of_half(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                     : exponent == 31
                         ? INFINITY
                         : std::ldexp(1.0F + static_cast<float>(mantissa) / 1024.0F, exponent - 15);
  return (half & 0x8000) != 0 ? -size : size;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    REQUIRE(at_ + sizeof(T) <= bytes_.size());
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const auto length = take<std::uint64_t>();
    REQUIRE(at_ + length <= bytes_.size());
    at_ += length;
    return std::string(bytes_.substr(at_ - length, length));
  }
  Value value() {
    switch (take<std::uint32_t>()) {
      case 4: return take<std::uint32_t>();
      case 6: return take<float>();
      case 7: {
        const auto flag = take<std::uint8_t>();
        REQUIRE(flag < 2);
        return flag == 1;
      }
      case 8: return text();
      case 9: break;
      default: FAIL("a type that is not expected");
    }
    const auto type = take<std::uint32_t>();
    const auto count = take<std::uint64_t>();
    if (type == 8) {
      std::vector<std::string> all;
      for (std::uint64_t i = 0; i < count; ++i) all.push_back(text());
      return all;
    }
    if (type == 6) {
      std::vector<float> all;
      for (std::uint64_t i = 0; i < count; ++i) all.push_back(take<float>());
      return all;
    }
    REQUIRE(type == 5);
    std::vector<std::int32_t> all;
    for (std::uint64_t i = 0; i < count; ++i) all.push_back(take<std::int32_t>());
    return all;
  }
  Read file() {
    Read read;
    REQUIRE(bytes_.substr(0, 4) == "GGUF");
    at_ = 4;
    read.version = take<std::uint32_t>();
    const auto tensors = take<std::uint64_t>(), values = take<std::uint64_t>();
    for (std::uint64_t i = 0; i < values; ++i) {
      const std::string key = text();
      REQUIRE(read.values.emplace(key, value()).second);
    }
    for (std::uint64_t i = 0; i < tensors; ++i) {
      const std::string name = text();
      Read::Tensor tensor;
      const auto dimensions = take<std::uint32_t>();
      REQUIRE(dimensions >= 1);
      REQUIRE(dimensions <= 2);
      for (std::uint32_t d = 0; d < dimensions; ++d)
        tensor.dimensions.push_back(take<std::uint64_t>());
      tensor.type = take<std::uint32_t>();
      tensor.offset = take<std::uint64_t>();
      REQUIRE(read.tensors.emplace(name, tensor).second);
    }
    at_ = (at_ + 31) / 32 * 32;
    const std::size_t data = at_;
    std::size_t end = data;
    for (auto& [name, tensor] : read.tensors) {
      CHECK(tensor.offset % 32 == 0);
      at_ = data + tensor.offset;
      std::uint64_t count = 1;
      for (const std::uint64_t dimension : tensor.dimensions) count *= dimension;
      for (std::uint64_t i = 0; i < count; ++i) {
        const float element =
            tensor.type == 0 ? take<float>() : float_of_half(take<std::uint16_t>());
        REQUIRE(std::isfinite(element));
        tensor.elements.push_back(element);
      }
      end = std::max(end, (at_ + 31) / 32 * 32);
    }
    CHECK(end == bytes_.size());  // nothing lies behind the last tensor
    return read;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

Read written(const TinyModel& model) {
  const auto file = tiny_model(model, false);
  REQUIRE(file.has_value());
  std::string bytes;
  REQUIRE(file->write([&](std::string_view part) -> Result<void> {
    bytes += part;
    return {};
  }));
  CHECK(bytes.size() == file->size());
  return Reader(bytes).file();
}

template <class T>
T of(const Read& read, const char* key) {
  CAPTURE(key);
  const auto found = read.values.find(key);
  REQUIRE(found != read.values.end());
  REQUIRE(std::holds_alternative<T>(found->second));
  return std::get<T>(found->second);
}

/// Which token the weights put highest behind this one, where the blocks add nothing.
std::size_t next_token(const Read& read, std::size_t token) {
  const auto& embedding = read.tensors.at("token_embd.weight");
  const auto& head = read.tensors.at("output.weight");
  const std::size_t width = embedding.dimensions[0], tokens = embedding.dimensions[1];
  std::size_t best = 0;
  float highest = -1e9F, second = -1e9F;
  for (std::size_t other = 0; other < tokens; ++other) {
    float sum = 0;
    for (std::size_t i = 0; i < width; ++i)
      sum += embedding.elements[token * width + i] * head.elements[other * width + i];
    if (sum > highest) {
      second = highest;
      highest = sum;
      best = other;
    } else {
      second = std::max(second, sum);
    }
  }
  CHECK(highest - second > 6);  // a chance of e^-6 each even where an engine draws by chance
  return best;
}

/// What the tokens spell.
std::string spelled(const Read& read, const std::vector<std::size_t>& tokens) {
  const auto texts = of<std::vector<std::string>>(read, "tokenizer.ggml.tokens");
  const auto kinds = of<std::vector<std::int32_t>>(read, "tokenizer.ggml.token_type");
  std::string text;
  for (const std::size_t token : tokens) {
    text +=
        kinds[token] == 6
            ? std::string(1, static_cast<char>(std::stoi(texts[token].substr(3, 2), nullptr, 16)))
            : texts[token];
  }
  return text;
}

TEST_CASE("model: every field of the file is what the format and the shape say") {
  const TinyModel model{.context = 2'048, .width = 96, .layers = 3, .heads = 3, .hidden = 160};
  const Read read = written(model);
  CHECK(read.version == 3);
  CHECK(of<std::string>(read, "general.architecture") == "llama");
  CHECK(of<std::string>(read, "general.name") == "tenbin-tiny-reply");
  CHECK(of<std::uint32_t>(read, "general.file_type") == 1);
  CHECK(of<std::uint32_t>(read, "general.alignment") == 32);
  CHECK(of<std::uint32_t>(read, "llama.context_length") == 2'048);
  CHECK(of<std::uint32_t>(read, "llama.embedding_length") == 96);
  CHECK(of<std::uint32_t>(read, "llama.block_count") == 3);
  CHECK(of<std::uint32_t>(read, "llama.feed_forward_length") == 160);
  CHECK(of<std::uint32_t>(read, "llama.attention.head_count") == 3);
  CHECK(of<std::uint32_t>(read, "llama.attention.head_count_kv") == 3);
  CHECK(of<std::uint32_t>(read, "llama.rope.dimension_count") == 32);
  CHECK(of<float>(read, "llama.attention.layer_norm_rms_epsilon") == doctest::Approx(1e-5));
  CHECK(of<std::string>(read, "tokenizer.ggml.model") == "llama");
  CHECK(of<bool>(read, "tokenizer.ggml.add_bos_token"));
  CHECK_FALSE(of<bool>(read, "tokenizer.ggml.add_eos_token"));
  CHECK_FALSE(of<bool>(read, "tokenizer.ggml.add_space_prefix"));

  const auto texts = of<std::vector<std::string>>(read, "tokenizer.ggml.tokens");
  const auto kinds = of<std::vector<std::int32_t>>(read, "tokenizer.ggml.token_type");
  CHECK(texts.size() == of<std::uint32_t>(read, "llama.vocab_size"));
  CHECK(texts.size() == tiny_reply().vocabulary);
  CHECK(kinds.size() == texts.size());
  CHECK(of<std::vector<float>>(read, "tokenizer.ggml.scores").size() == texts.size());
  CHECK(std::set<std::string>(texts.begin(), texts.end()).size() == texts.size());
  CHECK(std::ranges::count(kinds, 6) == 256);
  CHECK(std::ranges::all_of(texts, [](const std::string& t) { return valid_utf8(t); }));
  CHECK(texts[of<std::uint32_t>(read, "tokenizer.ggml.bos_token_id")] == "<s>");
  CHECK(texts[of<std::uint32_t>(read, "tokenizer.ggml.eos_token_id")] == "</s>");
  CHECK(texts[of<std::uint32_t>(read, "tokenizer.ggml.unknown_token_id")] == "<unk>");
  // What the chat template says are tokens, not letters.
  const std::string chat = of<std::string>(read, "tokenizer.chat_template");
  for (const char* mark : {"<|end|>", "<|assistant|>"}) {
    CHECK(chat.find(mark) != std::string::npos);
    CHECK(std::ranges::find(texts, mark) != texts.end());
  }

  const std::uint64_t tokens = texts.size();
  using Shape = std::vector<std::uint64_t>;
  CHECK(read.tensors.size() == 3 + 3 * 9);
  CHECK(read.tensors.at("token_embd.weight").dimensions == Shape{96, tokens});
  CHECK(read.tensors.at("output.weight").dimensions == Shape{96, tokens});
  CHECK(read.tensors.at("output_norm.weight").dimensions == Shape{96});
  for (const std::string block : {"blk.0.", "blk.1.", "blk.2."}) {
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"})
      CHECK(read.tensors.at(block + name + ".weight").dimensions == Shape{96, 96});
    CHECK(read.tensors.at(block + "ffn_gate.weight").dimensions == Shape{96, 160});
    CHECK(read.tensors.at(block + "ffn_up.weight").dimensions == Shape{96, 160});
    CHECK(read.tensors.at(block + "ffn_down.weight").dimensions == Shape{160, 96});
    CHECK(read.tensors.at(block + "attn_norm.weight").dimensions == Shape{96});
    CHECK(read.tensors.at(block + "ffn_norm.weight").dimensions == Shape{96});
  }
  for (const auto& [name, tensor] : read.tensors) {
    CAPTURE(name);
    const bool vector = tensor.dimensions.size() == 1;
    CHECK(tensor.type == (vector ? 0 : 1));
    const bool zero = name.ends_with("attn_output.weight") || name.ends_with("ffn_down.weight");
    const auto sum = std::ranges::count_if(tensor.elements, [](float e) { return e != 0; });
    CHECK((sum == 0) == zero);
    if (vector) CHECK(std::ranges::all_of(tensor.elements, [](float e) { return e == 1; }));
  }
}

TEST_CASE("model: the weights say the text, behind whatever stands before it") {
  const TinyReply reply = tiny_reply();
  CHECK(reply.text ==
        "これは試験用の小さなモデルの決まった返答です。天秤は、東京と大阪の計算資源を公平に配分しま"
        "す。"
        "鱻・🗾「葛\U000E0100」ｶﾅもそのまま届きます！");
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    for (const bool repeat : {false, true}) {
      const Read read = written(
          {.repeat = repeat, .width = 64, .layers = 1, .heads = 1, .hidden = 32, .seed = seed});
      const auto texts = of<std::vector<std::string>>(read, "tokenizer.ggml.tokens");
      const auto end = of<std::uint32_t>(read, "tokenizer.ggml.eos_token_id");
      std::vector<std::size_t> said;
      std::size_t token = next_token(
          read,
          static_cast<std::size_t>(std::ranges::find(texts, "<|assistant|>") - texts.begin()));
      for (std::uint32_t i = 0; i < reply.tokens; ++i) {
        said.push_back(token);
        token = next_token(read, token);
      }
      CHECK(spelled(read, said) == reply.text);
      CHECK(token == (repeat ? said.front() : end));
      // Tokens are more than characters: some are spelled in bytes.
      CHECK(std::ranges::count_if(said, [&](std::size_t t) {
              return of<std::vector<std::int32_t>>(read, "tokenizer.ggml.token_type")[t] == 6;
            }) == 3 + 4 + 4);
    }
  }
}

TEST_CASE("model: the same seed is the same file, another seed another; noise has no zeroes") {
  const auto bytes = [](const TinyModel& model) {
    std::string all;
    REQUIRE(tiny_model(model, false)->write([&](std::string_view part) -> Result<void> {
      all += part;
      return {};
    }));
    return all;
  };
  const TinyModel noise{.kind = TinyModel::Kind::random, .seed = 5, .name = "雑音"};
  CHECK(bytes(noise) == bytes(noise));
  TinyModel other = noise;
  other.seed = 6;
  CHECK(bytes(noise) != bytes(other));
  CHECK(bytes({.seed = 1}) != bytes({.seed = 2}));

  const Read read = written(noise);
  CHECK(of<std::string>(read, "general.name") == "雑音");
  const auto& down = read.tensors.at("blk.0.ffn_down.weight").elements;
  double sum = 0, squares = 0;
  for (const float element : down) sum += element, squares += element * element;
  const double count = static_cast<double>(down.size());
  CHECK(std::abs(sum / count) < 0.005);
  CHECK(std::sqrt(squares / count) == doctest::Approx(1 / std::sqrt(128.0)).epsilon(0.05));
}

TEST_CASE("model: half floats are rounded to the nearest, ties to even") {
  CHECK(half_of(1.0F) == 0x3C00);
  CHECK(half_of(-2.0F) == 0xC000);
  CHECK(half_of(65504.0F) == 0x7BFF);
  CHECK(half_of(65520.0F) == 0x7C00);
  CHECK(half_of(1e9F) == 0x7C00);
  CHECK(half_of(0.0F) == 0);
  CHECK(half_of(std::ldexp(1.0F, -24)) == 1);
  CHECK(half_of(std::ldexp(1.0F, -25)) == 0);  // half-way to the least: to even
  CHECK(half_of(std::ldexp(1.5F, -25)) == 1);
  CHECK(half_of(std::ldexp(1.0F, -14)) == 0x0400);  // the least that is normal
  CHECK(half_of(std::ldexp(2047.0F / 2048, -14)) == 0x0400);
  CHECK(half_of(1.0F + 1.0F / 2048) == 0x3C00);
  CHECK(half_of(1.0F + 3.0F / 2048) == 0x3C02);
  for (unsigned half = 0; half < 0x7C00; ++half)
    REQUIRE(half_of(float_of_half(static_cast<std::uint16_t>(half))) == half);
}

TEST_CASE(
    "model: a shape that no model has is refused, in both languages; a sink that fails ends it") {
  const auto why = [](const TinyModel& model, bool japanese = false) {
    const auto file = tiny_model(model, japanese);
    REQUIRE_FALSE(file.has_value());
    return file.error().what;
  };
  CHECK(why({.width = 100}) ==
        "the width cannot be 100: 64 to 16384, a multiple of 32 and of twice the heads (8)");
  CHECK(why({.width = 96, .heads = 5}).find("(10)") != std::string::npos);
  CHECK(why({.heads = 0}, true) == "ヘッド数に 0 は使えません。1 から 256 までです");
  CHECK(why({.layers = 129}).find("129") != std::string::npos);
  CHECK(why({.hidden = 33}).find("33") != std::string::npos);
  CHECK(why({.context = 1}).find("1048576") != std::string::npos);
  CHECK(why({.kind = TinyModel::Kind::random, .repeat = true}).find("repeat") != std::string::npos);
  int parts = 0;
  const auto full = tiny_model({}, false)->write([&](std::string_view) -> Result<void> {
    if (++parts == 3) return failed("full");
    return {};
  });
  CHECK(full.error().what == "full");
  CHECK(parts == 3);
}

}  // namespace
}  // namespace tenbin
