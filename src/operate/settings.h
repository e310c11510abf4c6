#pragma once

// The settings of `tenbin serve`: one table, and four places from which a value may come. A flag
// beats the environment, which beats the file, which beats the default.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenbin::operate {

enum class Kind : std::uint8_t {
  text,     // any text that is not empty
  number,   // a whole number within `least` and `most`
  toggle,   // true or false; as a flag it needs no value
  choice,   // one of `choices`
  listener  // ADDRESS:PORT, or empty
};

/// One setting. Its flag is `--` and the name with `-` for `_`; its variable `TENBIN_` and the name
/// in capitals; its key in the file the name itself.
struct Setting {
  std::string_view name;
  Kind kind = Kind::text;
  std::string_view standard;  // the value if nobody says another; may be empty
  std::int64_t least = 0, most = 0;
  std::string_view choices = {};  // separated by spaces
  std::string_view english = {}, japanese = {};
  bool flag_only = false;  // for one start, so a file that stays must not say it
};

/// All of them, in the order in which they are shown. A new setting is one line here.
std::span<const Setting> all_settings();

/// Something that is wrong, and where: "FILE:LINE:COLUMN", a flag or a variable.
struct Mistake {
  std::string where;
  std::string english, japanese;
};

class Settings {
 public:
  Settings();

  const std::string& text(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  bool on(std::string_view name) const;
  /// Where the value comes from: "default", "flag --port", "environment TENBIN_PORT" or
  /// "FILE:LINE:COLUMN".
  const std::string& origin(std::string_view name) const;
  /// Replaces a value that depends on where the program runs, as long as nobody has said another.
  void set_standard(std::string_view name, std::string value);

  /// The settings as a file that says the same, with each one's origin behind it.
  std::string print() const;

  /// Reads the text of a settings file. Every mistake is told, not only the first; the settings
  /// without one are taken. Pure.
  std::vector<Mistake> read_toml(std::string_view text, const std::string& path);
  /// Takes what the environment says; `value_of(NAME)` is null if a variable is not set.
  std::vector<Mistake> read_environment(
      const std::function<const char*(const std::string&)>& value_of);
  /// Takes flags. What is no setting of ours is left in `rest`.
  std::vector<Mistake> read_flags(const std::vector<std::string>& words,
                                  std::vector<std::string>& rest);

 private:
  struct Value {
    std::string text, origin;
  };
  /// Takes the value if it is right, else says what is wrong with it.
  std::optional<Mistake> take(const Setting& setting, const std::string& value,
                              const std::string& origin);

  std::map<std::string, Value, std::less<>> values_;
};

/// ADDRESS:PORT, the address in brackets if it is of IPv6.
struct Listener {
  std::string address;
  std::uint16_t port = 0;
};
std::optional<Listener> listener_of(std::string_view text);

/// The help of `tenbin serve`, made of the table.
std::string settings_help();

}  // namespace tenbin::operate
