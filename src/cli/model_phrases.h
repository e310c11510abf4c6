#pragma once

// What `model tiny` says, in both languages on the same line; part of phrases.h.

// clang-format off
#define TENBIN_MODEL_PHRASES(X) \
  X(model_tiny_about, "Write a tiny language model (GGUF) to try engines and gateways with", "エンジンやゲートウェイを試すための極小の言語モデル（GGUF）を書き出します") \
  X(opt_model_out, "the file to write", "書き出すファイル") \
  X(opt_model_kind, "reply says one known Japanese text (default), random says noise", "reply は決まった日本語の文を返し（既定）、random は乱数の文字列を返す") \
  X(opt_model_repeat, "say the text again and again, until the length that was asked for", "指定された長さに達するまで文を繰り返す") \
  X(opt_model_ctx, "how many tokens a conversation may have (default: 4096)", "会話の最大トークン数（既定: 4096）") \
  X(opt_model_width, "numbers for a token (default: 128)", "トークンあたりの次元（既定: 128）") \
  X(opt_model_layers, "layers (default: 2)", "層数（既定: 2）") \
  X(opt_model_heads, "attention heads (default: 4)", "アテンションのヘッド数（既定: 4）") \
  X(opt_model_hidden, "numbers inside of a layer (default: 256)", "中間層の次元（既定: 256）") \
  X(opt_model_seed, "what the weights are drawn by (default: 1)", "重みの乱数の種（既定: 1）") \
  X(opt_model_name, "what the model calls itself", "モデルが名乗る名前") \
  X(opt_model_expect, "print the text, and how many tokens it is, as JSON", "返す文とそのトークン数を JSON で表示する") \
  X(model_bad_value, "{0} cannot be {1}", "{0} に {1} は指定できません") \
  X(model_no_out, "no file was named", "ファイルが指定されていません") \
  X(hint_model_out, "say where the model shall go: --out tiny.gguf", "書き出す先を --out tiny.gguf のように指定してください") \
  X(hint_model_number, "a whole number", "整数で指定してください") \
  X(model_unwritable, "{0} cannot be written: {1}", "{0} に書き込めません: {1}") \
  X(model_written, "{0}: {1} bytes, vocabulary of {2} tokens", "{0}: {1} バイト、語彙 {2} トークン")
// clang-format on
