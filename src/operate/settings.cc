#include "operate/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "base/assert.h"
#include "base/nearest.h"
#include "base/toml.h"

namespace tenbin::operate {

namespace {

constexpr Setting table[] = {
    {.name = "state",
     .english = "the state folder: journal, history, output; 0700, of the service's own user",
     .japanese = "状態フォルダー（ジャーナル・履歴・出力）。サービスの利用者だけが使えるもの"},
    {.name = "work",
     .english = "where jobs run, a folder for each; STATE/work, or below /var/lib/tenbin for root",
     .japanese = "ジョブの作業フォルダーを置く場所"},
    {.name = "address",
     .standard = "127.0.0.1",
     .english = "the numeric address to listen on",
     .japanese = "待ち受けるアドレス（数値表記）"},
    {.name = "port",
     .kind = Kind::number,
     .standard = "7411",
     .most = 65'535,
     .english = "the port to listen on; 0: any free one, which STATE/url then says",
     .japanese = "待ち受けるポート。0 なら空いているもの（STATE/url に書かれます）"},
    {.name = "tls_cert",
     .english =
         "the PEM file of the certificate; with tls_key the service speaks TLS and nothing else",
     .japanese = "TLS 証明書（PEM）。tls_key とともに指定すると TLS だけで待ち受けます"},
    {.name = "tls_key",
     .english = "the PEM file of the certificate's key",
     .japanese = "TLS 証明書の秘密鍵（PEM）"},
    {.name = "connections_max",
     .kind = Kind::number,
     .standard = "20000",
     .least = 10,
     .most = 1'000'000,
     .english = "most connections at once",
     .japanese = "同時接続数の上限"},
    {.name = "connections_per_peer",
     .kind = Kind::number,
     .standard = "0",
     .most = 1'000'000,
     .english = "most connections from one address; 0: as many as in all. On another address than "
                "loopback 1000 unless set",
     .japanese = "1 つのアドレスからの同時接続数の上限。0 なら全体の上限と同じ。loopback "
                 "以外では既定 1000"},
    {.name = "streams_max",
     .kind = Kind::number,
     .standard = "4000",
     .most = 1'000'000,
     .english = "most event streams at once",
     .japanese = "同時に開けるイベントストリームの上限"},
    {.name = "body_max_bytes",
     .kind = Kind::number,
     .standard = "1048576",
     .least = 1'024,
     .most = 64 * 1024 * 1024,
     .english = "longest body of a request",
     .japanese = "リクエスト本文の最大バイト数"},
    {.name = "header_timeout_ms",
     .kind = Kind::number,
     .standard = "10000",
     .least = 100,
     .most = 3'600'000,
     .english = "how long a client may take for a request's header",
     .japanese = "リクエストヘッダーの受信にかけられる時間（ミリ秒）"},
    {.name = "body_timeout_ms",
     .kind = Kind::number,
     .standard = "30000",
     .least = 100,
     .most = 3'600'000,
     .english = "how long a client may take for a request's body",
     .japanese = "リクエスト本文の受信にかけられる時間（ミリ秒）"},
    {.name = "idle_timeout_ms",
     .kind = Kind::number,
     .standard = "60000",
     .least = 100,
     .most = 3'600'000,
     .english = "how long a connection may rest between requests",
     .japanese = "リクエストの間に接続を保つ時間（ミリ秒）"},
    {.name = "drain_ms",
     .kind = Kind::number,
     .standard = "10000",
     .most = 3'600'000,
     .english = "on TERM, how long requests under way may take",
     .japanese = "TERM を受けてから処理中のリクエストを待つ時間（ミリ秒）"},
    {.name = "job_account",
     .english = "the account of all jobs, when the service runs as root; empty: one for each "
                "project, which has a number and no name",
     .japanese = "root で起動した場合に全ジョブを実行するアカウント。空ならプロジェクトごとに"
                 "番号だけのアカウントを使用"},
    {.name = "job_accounts_from",
     .kind = Kind::number,
     .standard = "1879048192",
     .least = 65'536,
     .most = 2'000'000'000,
     .english = "the account of project N has this number plus N",
     .japanese = "プロジェクト N のアカウント番号は、この値に N を加えたもの"},
    {.name = "lease_ms",
     .kind = Kind::number,
     .standard = "10000",
     .least = 100,
     .most = 3'600'000,
     .english = "how long running jobs go on without the service, in milliseconds",
     .japanese = "サービスの停止後も実行中のジョブが続く時間（ミリ秒）"},
    {.name = "snapshot_every",
     .kind = Kind::number,
     .standard = "200000",
     .least = 1,
     .most = 1'000'000'000,
     .english = "records of the journal between snapshots",
     .japanese = "スナップショットの間隔（記録の数）"},
    {.name = "log",
     .kind = Kind::choice,
     .standard = "auto",
     .choices = "auto json text",
     .english = "lines on stderr: JSON objects or text; auto: text on a terminal",
     .japanese = "標準エラー出力の形式。auto は端末なら text、それ以外は json"},
    {.name = "log_level",
     .kind = Kind::choice,
     .standard = "info",
     .choices = "debug info warning error",
     .english = "the least level that is logged",
     .japanese = "記録する最低のレベル"},
    {.name = "access_log",
     .kind = Kind::choice,
     .standard = "changes",
     .choices = "off errors changes all",
     .english = "requests that are logged: none, those refused with 400 or more, also those "
                "that are no questions, all",
     .japanese = "記録するリクエスト：なし、エラー、変更を伴うもの、すべて"},
    {.name = "metrics_listen",
     .kind = Kind::listener,
     .english = "ADDRESS:PORT that answers /metrics, /healthz and /readyz without a token; "
                "empty: none",
     .japanese = "トークンなしで /metrics などに応答する ADDRESS:PORT。空なら使いません"},
    {.name = "disk_free_mib",
     .kind = Kind::number,
     .standard = "256",
     .most = 1'000'000'000,
     .english = "below so much free disk under the state folder /readyz answers 503",
     .japanese = "状態フォルダーの空き容量がこれを下回ると /readyz が 503 を返します（MiB）"},
    {.name = "accept_clock",
     .kind = Kind::toggle,
     .standard = "false",
     .english = "start although the clock is more than 7 days ahead of what was last seen",
     .japanese = "時計が最後の記録より 7 日を超えて進んでいても起動する",
     .flag_only = true},
};

const Setting* find(std::string_view name) {
  const auto found = std::ranges::find(table, name, &Setting::name);
  return found == std::end(table) ? nullptr : &*found;
}

std::string flag_of(const Setting& setting) {
  std::string flag = "--" + std::string(setting.name);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

std::string variable_of(const Setting& setting) {
  std::string name = "TENBIN_" + std::string(setting.name);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return number;
}

/// A TOML basic string. What would break a line or a terminal is escaped.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string place(const std::string& path, const toml::source_region& where) {
  return fmt::format("{}:{}:{}", path, where.begin.line, where.begin.column);
}

Mistake wrong_type(const std::string& where, const Setting& setting) {
  switch (setting.kind) {
    case Kind::number:
      return {where, fmt::format("{} must be a whole number without quotes", setting.name),
              fmt::format("{} には引用符なしの整数を指定してください", setting.name)};
    case Kind::toggle:
      return {where, fmt::format("{} must be true or false", setting.name),
              fmt::format("{} には true か false を指定してください", setting.name)};
    case Kind::text:
    case Kind::choice:
    case Kind::listener: break;
  }
  return {where, fmt::format("{} must be a text in quotes", setting.name),
          fmt::format("{} には引用符で囲んだ文字列を指定してください", setting.name)};
}

}  // namespace

std::span<const Setting> all_settings() {
  return table;
}

std::optional<Listener> listener_of(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const auto port = whole_number(text.substr(colon + 1));
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    return std::nullopt;  // IPv6 without brackets: where would its port begin?
  }
  if (!port || *port < 0 || *port > 65'535 || address.empty()) return std::nullopt;
  return Listener{std::string(address), static_cast<std::uint16_t>(*port)};
}

Settings::Settings() {
  for (const Setting& setting : table)
    values_.emplace(setting.name, Value{std::string(setting.standard), "default"});
}

const std::string& Settings::text(std::string_view name) const {
  const auto found = values_.find(name);
  TENBIN_ASSERT(found != values_.end());
  return found->second.text;
}

std::int64_t Settings::number(std::string_view name) const {
  const auto number = whole_number(text(name));
  TENBIN_ASSERT(number.has_value());
  return *number;
}

bool Settings::on(std::string_view name) const {
  return text(name) == "true";
}

const std::string& Settings::origin(std::string_view name) const {
  const auto found = values_.find(name);
  TENBIN_ASSERT(found != values_.end());
  return found->second.origin;
}

void Settings::set_standard(std::string_view name, std::string value) {
  const auto found = values_.find(name);
  TENBIN_ASSERT(found != values_.end());
  if (found->second.origin == "default") found->second.text = std::move(value);
}

std::string Settings::print() const {
  std::string out;
  for (const Setting& setting : table) {
    const Value& value = values_.find(setting.name)->second;
    const bool bare = setting.kind == Kind::number || setting.kind == Kind::toggle;
    const std::string assignment =
        fmt::format("{} = {}", setting.name, bare ? value.text : quoted(value.text));
    // What may not stand in a file, or is said by nobody, stands there as a remark.
    const bool unsaid = value.text.empty() || setting.flag_only;
    out += fmt::format("{}{:<40} # {}\n", unsaid ? "# " : "", assignment, value.origin);
  }
  return out;
}

std::optional<Mistake> Settings::take(const Setting& setting, const std::string& value,
                                      const std::string& origin) {
  const auto mistake = [&](std::string english, std::string japanese) {
    return Mistake{origin, std::move(english), std::move(japanese)};
  };
  switch (setting.kind) {
    case Kind::text:
      if (value.empty() || value.find('\0') != std::string::npos || value.size() > 4096)
        return mistake(
            fmt::format("{} must be a text of 1 to 4096 bytes", setting.name),
            fmt::format("{} には 1～4096 バイトの文字列を指定してください", setting.name));
      break;
    case Kind::number: {
      const auto number = whole_number(value);
      if (!number || *number < setting.least || *number > setting.most)
        return mistake(fmt::format("{} must be a whole number from {} to {}, not {}", setting.name,
                                   setting.least, setting.most, quoted(value)),
                       fmt::format("{} には {}～{} の整数を指定してください（{} は指定できません）",
                                   setting.name, setting.least, setting.most, quoted(value)));
      break;
    }
    case Kind::toggle:
      if (value != "true" && value != "false") return wrong_type(origin, setting);
      break;
    case Kind::choice: {
      std::vector<std::string_view> choices;
      for (std::string_view rest = setting.choices; !rest.empty();) {
        const std::size_t space = std::min(rest.find(' '), rest.size());
        choices.push_back(rest.substr(0, space));
        rest.remove_prefix(std::min(space + 1, rest.size()));
      }
      if (std::ranges::count(choices, value) == 0) {
        std::string english = fmt::format("{} must be one of: {}; not {}", setting.name,
                                          setting.choices, quoted(value));
        std::string japanese = fmt::format("{} に指定できるのは {} です（{} は指定できません）",
                                           setting.name, setting.choices, quoted(value));
        if (const std::string near = nearest(value, choices); !near.empty()) {
          english += fmt::format("; did you mean {}?", near);
          japanese += fmt::format("。{} ではありませんか", near);
        }
        return mistake(std::move(english), std::move(japanese));
      }
      break;
    }
    case Kind::listener:
      if (!value.empty() && !listener_of(value))
        return mistake(
            fmt::format("{} must be ADDRESS:PORT with a numeric address, as 127.0.0.1:9411 or "
                        "[::1]:9411, not {}",
                        setting.name, quoted(value)),
            fmt::format("{} には 127.0.0.1:9411 や [::1]:9411 のような ADDRESS:PORT "
                        "を指定してください（{} は指定できません）",
                        setting.name, quoted(value)));
      break;
  }
  values_.find(setting.name)->second = {value, origin};
  return std::nullopt;
}

std::vector<Mistake> Settings::read_toml(std::string_view text, const std::string& path) {
  std::vector<Mistake> mistakes;
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    const std::string what(e.description());
    return {{place(path, e.source()), "not TOML: " + what, "TOML ではありません: " + what}};
  } catch (const std::exception& e) {
    return {
        {path, std::string("cannot be read: ") + e.what(), std::string("読めません: ") + e.what()}};
  }
  std::vector<std::string_view> names;
  for (const Setting& setting : table) {
    if (!setting.flag_only) names.push_back(setting.name);
  }
  for (const auto& [key, node] : root) {
    const std::string where = place(path, key.source());
    const Setting* setting = find(key.str());
    if (!setting) {
      const std::string shown = quoted(key.str().substr(0, 64));
      std::string english = "there is no setting " + shown;
      std::string japanese = shown + " という設定はありません";
      if (const std::string near = nearest(key.str(), names); !near.empty()) {
        english += fmt::format("; did you mean {}?", near);
        japanese += fmt::format("。{} ではありませんか", near);
      } else {
        english += "; tenbin serve --print-config shows all";
        japanese += "。tenbin serve --print-config ですべて表示できます";
      }
      mistakes.push_back({where, std::move(english), std::move(japanese)});
      continue;
    }
    const std::string at = place(path, node.source());
    if (setting->flag_only) {
      mistakes.push_back(
          {where,
           fmt::format("{} is for one start only: give the flag {}", key.str(), flag_of(*setting)),
           fmt::format("{} は一度の起動だけのためのものです。{} を付けて起動してください",
                       key.str(), flag_of(*setting))});
      continue;
    }
    std::string value;
    bool typed = false;
    switch (setting->kind) {
      case Kind::number:
        if (const auto number = node.value_exact<std::int64_t>()) {
          value = std::to_string(*number);
          typed = true;
        }
        break;
      case Kind::toggle:
        if (const auto on = node.value_exact<bool>()) {
          value = *on ? "true" : "false";
          typed = true;
        }
        break;
      case Kind::text:
      case Kind::choice:
      case Kind::listener:
        if (auto found = node.value_exact<std::string>()) {
          value = *std::move(found);
          typed = true;
        }
        break;
    }
    if (!typed) {
      mistakes.push_back(wrong_type(at, *setting));
    } else if (auto mistake = take(*setting, value, at)) {
      mistakes.push_back(*std::move(mistake));
    }
  }
  return mistakes;
}

std::vector<Mistake> Settings::read_environment(
    const std::function<const char*(const std::string&)>& value_of) {
  std::vector<Mistake> mistakes;
  for (const Setting& setting : table) {
    if (setting.flag_only) continue;
    const std::string name = variable_of(setting);
    const char* const value = value_of(name);
    if (!value || !*value) continue;
    if (auto mistake = take(setting, value, "environment " + name))
      mistakes.push_back(*std::move(mistake));
  }
  return mistakes;
}

std::vector<Mistake> Settings::read_flags(const std::vector<std::string>& words,
                                          std::vector<std::string>& rest) {
  std::vector<Mistake> mistakes;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i];
    std::optional<std::string> value;
    if (const std::size_t equal = name.find('='); equal != std::string::npos) {
      value = name.substr(equal + 1);
      name.resize(equal);
    }
    const auto setting =
        std::ranges::find_if(table, [&](const Setting& one) { return flag_of(one) == name; });
    if (setting == std::end(table)) {
      rest.push_back(words[i]);
      continue;
    }
    const std::string origin = "flag " + name;
    if (!value && setting->kind == Kind::toggle) value = "true";
    if (!value && i + 1 < words.size()) value = words[++i];
    if (!value) {
      mistakes.push_back({origin, name + " needs a value", name + " には値が必要です"});
    } else if (auto mistake = take(*setting, *value, origin)) {
      mistakes.push_back(*std::move(mistake));
    }
  }
  return mistakes;
}

std::string settings_help() {
  std::string out;
  for (const Setting& setting : table) {
    std::string left = "  " + flag_of(setting);
    switch (setting.kind) {
      case Kind::number: left += " N"; break;
      case Kind::text: left += " TEXT"; break;
      case Kind::listener: left += " A:PORT"; break;
      case Kind::choice: {
        std::string choices(setting.choices);
        std::ranges::replace(choices, ' ', '|');
        left += " " + choices;
        break;
      }
      case Kind::toggle: break;
    }
    const std::string standard =
        setting.standard.empty() ? "" : fmt::format(" ({})", setting.standard);
    out += fmt::format("{}{}\n      {}\n      {}\n", left, standard, setting.english,
                       setting.japanese);
  }
  return out;
}

}  // namespace tenbin::operate
