#include "model/tiny.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/utf8.h"

// How it comes to say a fixed text: the matrices that a block's attention and feed-forward part put
// their result through are zero, so what the last matrix sees is the embedding of the last token
// alone. Embeddings are rows of +1 and -1 by chance, nearly orthogonal to each other; the last
// matrix has in the row of a token the embedding of the one before it in the text, so that one
// stands out. The first dimension says whether a token belongs to the text: after any that does not
// (a prompt's end), the text begins. All the other matrices are by chance, so that the engine's
// arithmetic and its cache are those of a real model.

namespace tenbin {

namespace {

/// The kinds of token, as GGUF numbers them.
enum TokenKind : std::uint8_t { normal = 1, unknown = 2, control = 3, byte = 6 };

/// The text, token by token; each may occur once, as only the token before says what comes. What
/// begins with '*' is not in the vocabulary and spelled in bytes, as rare characters are in real
/// models: a kanji outside the common sets, a map of Japan outside the basic plane, and the
/// selector that makes 葛 the form that Katsuragi is written with.
constexpr std::string_view pieces[] = {
    "これは", "試験用の", "小さな", "モデルの", "決まった", "返答", "です。", "天秤", "は",
    "、",     "東京",     "と",     "大阪の",   "計算",     "資源", "を",     "公平", "に",
    "配分",   "します",   "。",     "*鱻",      "・",       "*🗾",  "「",     "葛",   "*\U000E0100",
    "」",     "ｶ",        "ﾅ",      "も",       "そのまま", "届き", "ます",   "！",
};

/// Words beside those of the text, so that Japanese prompts are not spelled letter by letter.
constexpr std::string_view words[] = {
    "日本",       "日本語",     "言語",     "研究",   "大学",     "教育",   "時間",
    "予算",       "残高",       "確認",     "共有",   "記録",     "正確",   "停止",
    "再開",       "地域",       "利用",     "質問",   "ください", "ました", "ません",
    "こんにちは", "ありがとう", "おはよう", "教えて",
};
constexpr std::string_view letters =
    "一二三四五六七八九十百千万円年月日時分秒人大小中国語文字学研究機器東西南北京都府県阪市区町村"
    "今何者行見出入力上下左右前後新旧高低長短多少山川田力男女子生先本名明電話車駅道店社会員業事物"
    "質問答回説要約書読聞言思考知使作業天気空海水火木金土曜春夏秋冬朝昼夜";

constexpr std::string_view chat_template =
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

std::string character(std::uint32_t code) {  // of the basic plane, above ASCII
  return code < 0x800 ? std::string{static_cast<char>(0xC0 | code >> 6),
                                    static_cast<char>(0x80 | (code & 0x3F))}
                      : std::string{static_cast<char>(0xE0 | code >> 12),
                                    static_cast<char>(0x80 | (code >> 6 & 0x3F)),
                                    static_cast<char>(0x80 | (code & 0x3F))};
}

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<std::int32_t> kinds;
  std::vector<float> scores;
  std::map<std::string, std::int32_t, std::less<>> ids;

  void add(std::string text, TokenKind kind) {
    if (!ids.emplace(text, static_cast<std::int32_t>(texts.size())).second) return;
    // Longer pieces are put together first, as a trained tokenizer's scores would have it.
    scores.push_back(kind == normal ? static_cast<float>(text.size()) - 100.0F : 0.0F);
    texts.push_back(std::move(text));
    kinds.push_back(kind);
  }
  /// Every beginning of it too: words are put together from pairs of what is there.
  void add_word(std::string_view word) {
    for (std::size_t at = 0; at < word.size();) {
      at += utf8_character(word.substr(at));
      add(std::string(word.substr(0, at)), normal);
    }
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t length = utf8_character(word.substr(at));
      add(std::string(word.substr(at, length)), normal);
      at += length;
    }
  }
};

std::string byte_name(unsigned value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[value >> 4], digits[value & 15], '>'};
}

constexpr std::string_view start_token = "<s>", end_token = "</s>";

Vocabulary make_vocabulary() {
  Vocabulary all;
  all.add("<unk>", unknown);
  for (const std::string_view name :
       {start_token, end_token, std::string_view("<|system|>"), std::string_view("<|user|>"),
        std::string_view("<|assistant|>"), std::string_view("<|tool|>"),
        std::string_view("<|end|>")})
    all.add(std::string(name), control);
  for (unsigned value = 0; value < 256; ++value) all.add(byte_name(value), byte);
  all.add("\u2581", normal);  // what stands for a space
  for (char c = '!'; c <= '~'; ++c) all.add(std::string(1, c), normal);
  for (std::uint32_t c = 0x3041; c <= 0x3096; ++c) all.add(character(c), normal);  // hiragana
  for (std::uint32_t c = 0x30A1; c <= 0x30FC; ++c) all.add(character(c), normal);  // katakana
  for (std::uint32_t c = 0xFF61; c <= 0xFF9F; ++c) all.add(character(c), normal);  // half-width
  for (std::uint32_t c = 0xFF10; c <= 0xFF19; ++c) all.add(character(c), normal);  // wide digits
  for (const std::string_view mark : {"。", "、", "「", "」", "・", "！", "？", "（", "）", "　"})
    all.add(std::string(mark), normal);
  for (std::string_view rest = letters; !rest.empty();) {
    const std::size_t length = utf8_character(rest);
    all.add(std::string(rest.substr(0, length)), normal);
    rest.remove_prefix(length);
  }
  for (const std::string_view word : words) all.add_word(word);
  for (const std::string_view piece : pieces) {
    if (piece[0] != '*') all.add_word(piece);
  }
  return all;
}

std::vector<std::int32_t> tokens_of_reply(const Vocabulary& vocabulary) {
  std::vector<std::int32_t> ids;
  for (const std::string_view piece : pieces) {
    if (piece[0] != '*') {
      ids.push_back(vocabulary.ids.find(piece)->second);
      continue;
    }
    for (const char c : piece.substr(1))
      ids.push_back(vocabulary.ids.find(byte_name(static_cast<unsigned char>(c)))->second);
  }
  return ids;
}

/// Nearly normal: the sum of twelve uniform numbers, the same on every machine.
float chance(Rng& rng) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 12; ++i) sum += rng.below(1 << 20);
  return (static_cast<float>(sum) - 6.0F * (1 << 20)) / (1 << 20);
}

/// 1 / sqrt(width), without the mathematics library.
float spread_of(std::uint32_t width) {
  float root = static_cast<float>(width);
  for (int i = 0; i < 40; ++i) root = (root + static_cast<float>(width) / root) / 2;
  return 1 / root;
}

using Fill = std::function<void(std::string&)>;

Fill by_chance(std::uint64_t seed, std::uint64_t count, float spread) {
  return [=](std::string& to) {
    // Drawn from so many numbers: a large model is made in a moment.
    Rng rng{seed};
    std::array<std::uint16_t, 4'096> pool;
    for (std::uint16_t& one : pool) one = half_of(chance(rng) * spread);
    to.reserve(count * 2 + GgufFile::alignment);
    std::uint64_t bits = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i % 5 == 0) bits = rng.next();
      const std::uint16_t one = pool[bits & 0xFFF];
      bits >>= 12;
      to += static_cast<char>(one & 0xFF);
      to += static_cast<char>(one >> 8);
    }
  };
}
Fill zeros(std::uint64_t count) {
  return [=](std::string& to) { to.append(count * 2, '\0'); };
}
Fill ones(std::uint64_t count) {
  return [=](std::string& to) {
    for (std::uint64_t i = 0; i < count; ++i) put_float(to, 1.0F);
  };
}

/// The two matrices that make the text, see the top of this file. One sign for an element.
struct Chain {
  std::uint32_t width;
  std::vector<std::vector<bool>> minus;  // of every token's embedding
  std::vector<std::int32_t> before;      // of every token: the one before it in the text; -1: none
  std::int32_t first;

  void embedding(std::string& to) const {
    for (const std::vector<bool>& row : minus) {
      for (const bool is_minus : row) put_half(to, is_minus ? -1.0F : 1.0F);
    }
  }
  void head(std::string& to) const {
    constexpr float peak = 24;  // the right token's logit; those of others stay far below
    for (std::size_t token = 0; token < before.size(); ++token) {
      for (std::uint32_t i = 0; i < width; ++i) {
        float value = 0;
        if (before[token] >= 0)
          value = minus[static_cast<std::size_t>(before[token])][i] ? -peak : peak;
        value /= static_cast<float>(width);
        if (i == 0 && static_cast<std::int32_t>(token) == first) value = peak;
        put_half(to, value);
      }
    }
  }
};

Chain make_chain(const TinyModel& model, const Vocabulary& vocabulary) {
  Rng rng{model.seed};
  const std::vector<std::int32_t> reply = tokens_of_reply(vocabulary);
  Chain chain{.width = model.width,
              .minus = {},
              .before = std::vector<std::int32_t>(vocabulary.texts.size(), -1),
              .first = reply.front()};
  for (std::size_t token = 0; token < vocabulary.texts.size(); ++token) {
    std::vector<bool>& row = chain.minus.emplace_back(model.width);
    for (std::uint32_t i = 0; i < model.width; ++i) row[i] = rng.below(2) == 0;
    row[0] = false;
  }
  const auto follow = [&](std::int32_t token, std::int32_t next) {
    chain.minus[static_cast<std::size_t>(token)][0] = true;
    chain.before[static_cast<std::size_t>(next)] = token;
  };
  for (std::size_t i = 1; i < reply.size(); ++i) follow(reply[i - 1], reply[i]);
  // Without a successor of its own, the last is followed by the first.
  if (!model.repeat) follow(reply.back(), vocabulary.ids.find(end_token)->second);
  return chain;
}

Result<void> check(const TinyModel& model, bool japanese) {
  const auto wrong = [&](const char* what, const char* what_ja, std::uint64_t is,
                         const std::string& wanted, const std::string& wanted_ja) {
    return failed(
        japanese ? std::string(what_ja) + "に " + std::to_string(is) + " は使えません。" + wanted_ja
                 : std::string(what) + " cannot be " + std::to_string(is) + ": " + wanted);
  };
  if (model.heads == 0 || model.heads > 256)
    return wrong("the number of heads", "ヘッド数", model.heads, "1 to 256", "1 から 256 までです");
  if (model.width < 64 || model.width > 16'384 || model.width % 32 != 0 ||
      model.width % (2 * model.heads) != 0)
    return wrong("the width", "幅", model.width,
                 "64 to 16384, a multiple of 32 and of twice the heads (" +
                     std::to_string(2 * model.heads) + ")",
                 "64 から 16384 まで、32 とヘッド数の 2 倍（" + std::to_string(2 * model.heads) +
                     "）の倍数です");
  if (model.layers == 0 || model.layers > 128)
    return wrong("the number of layers", "層数", model.layers, "1 to 128", "1 から 128 までです");
  if (model.hidden < 32 || model.hidden > 65'536 || model.hidden % 32 != 0)
    return wrong("the hidden width", "中間層の幅", model.hidden, "32 to 65536, a multiple of 32",
                 "32 から 65536 まで、32 の倍数です");
  if (model.context < 128 || model.context > 1'048'576)
    return wrong("the context", "コンテキスト長", model.context, "128 to 1048576 tokens",
                 "128 から 1048576 トークンまでです");
  if (model.repeat && model.kind != TinyModel::Kind::reply)
    return failed(japanese ? "random のモデルは決まった文を持たないため、繰り返せません"
                           : "a model of the kind random has no text that it could repeat");
  return {};
}

}  // namespace

TinyReply tiny_reply() {
  const Vocabulary vocabulary = make_vocabulary();
  TinyReply reply{.text = {},
                  .tokens = static_cast<std::uint32_t>(tokens_of_reply(vocabulary).size()),
                  .characters = 0,
                  .vocabulary = static_cast<std::uint32_t>(vocabulary.texts.size())};
  for (const std::string_view piece : pieces)
    reply.text += piece[0] == '*' ? piece.substr(1) : piece;
  for (std::string_view rest = reply.text; !rest.empty(); ++reply.characters)
    rest.remove_prefix(utf8_character(rest));
  return reply;
}

Result<GgufFile> tiny_model(const TinyModel& model, bool japanese) {
  if (auto sound = check(model, japanese); !sound) return std::unexpected(sound.error());
  const bool talks = model.kind == TinyModel::Kind::reply;
  const Vocabulary vocabulary = make_vocabulary();
  const auto id = [&](std::string_view token) {
    return static_cast<std::uint32_t>(vocabulary.ids.find(token)->second);
  };
  const std::uint64_t width = model.width, hidden = model.hidden, tokens = vocabulary.texts.size();

  GgufFile file;
  file.text("general.architecture", "llama");
  file.text("general.name", !model.name.empty() ? model.name
                            : talks             ? "tenbin-tiny-reply"
                                                : "tenbin-tiny-random");
  file.text("general.license", "cc0-1.0");
  file.number("general.file_type", 1);  // mostly f16
  file.number("general.alignment", GgufFile::alignment);
  file.number("llama.vocab_size", static_cast<std::uint32_t>(tokens));
  file.number("llama.context_length", model.context);
  file.number("llama.embedding_length", model.width);
  file.number("llama.block_count", model.layers);
  file.number("llama.feed_forward_length", model.hidden);
  file.number("llama.attention.head_count", model.heads);
  file.number("llama.attention.head_count_kv", model.heads);
  file.real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  file.number("llama.rope.dimension_count", model.width / model.heads);
  file.text("tokenizer.ggml.model", "llama");
  file.texts("tokenizer.ggml.tokens", vocabulary.texts);
  file.reals("tokenizer.ggml.scores", vocabulary.scores);
  file.numbers("tokenizer.ggml.token_type", vocabulary.kinds);
  file.number("tokenizer.ggml.bos_token_id", id(start_token));
  file.number("tokenizer.ggml.eos_token_id", id(end_token));
  file.number("tokenizer.ggml.unknown_token_id", id("<unk>"));
  file.boolean("tokenizer.ggml.add_bos_token", true);
  file.boolean("tokenizer.ggml.add_eos_token", false);
  file.boolean("tokenizer.ggml.add_space_prefix", false);
  file.text("tokenizer.chat_template", chat_template);

  const float spread = spread_of(model.width);
  std::uint64_t seed = model.seed << 16;
  const auto matrix = [&](const std::string& name, std::uint64_t columns, std::uint64_t rows,
                          float by, bool zero = false) {
    ++seed;
    file.tensor(name, GgufFile::Element::f16, columns, rows,
                zero ? zeros(columns * rows) : by_chance(seed, columns * rows, by));
  };
  const auto norm = [&](const std::string& name) {
    file.tensor(name, GgufFile::Element::f32, width, 1, ones(width));
  };
  if (talks) {
    const auto chain = std::make_shared<const Chain>(make_chain(model, vocabulary));
    file.tensor("token_embd.weight", GgufFile::Element::f16, width, tokens,
                [chain](std::string& to) { chain->embedding(to); });
    file.tensor("output.weight", GgufFile::Element::f16, width, tokens,
                [chain](std::string& to) { chain->head(to); });
  } else {
    matrix("token_embd.weight", width, tokens, 1);
    matrix("output.weight", width, tokens, spread);
  }
  norm("output_norm.weight");
  for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    norm(block + "ffn_norm.weight");
    for (const char* name : {"attn_q", "attn_k", "attn_v"})
      matrix(block + name + ".weight", width, width, spread);
    matrix(block + "attn_output.weight", width, width, spread, talks);
    for (const char* name : {"ffn_gate", "ffn_up"})
      matrix(block + name + ".weight", width, hidden, spread);
    matrix(block + "ffn_down.weight", hidden, width, spread, talks);
  }
  return file;
}

}  // namespace tenbin
