#include "cli/table.h"

#include <algorithm>
#include <utility>

#include "cli/width.h"

namespace tenbin::cli {

namespace {

bool on_the_right(Kind kind) {
  return kind == Kind::number || kind == Kind::credits || kind == Kind::money || kind == Kind::span;
}

struct Named {
  std::string_view name;
  Phrase phrase;
  std::string_view colour;  // as in "\x1b[32m"
};
constexpr Named words[] = {
    {"queued", Phrase::state_queued, "33"},
    {"blocked", Phrase::state_blocked, "33"},
    {"on_hold", Phrase::state_on_hold, "33"},
    {"running", Phrase::state_running, "36"},
    {"stopping", Phrase::state_stopping, "33"},
    {"completed", Phrase::state_completed, "32"},
    {"failed", Phrase::state_failed, "31"},
    {"cancelled", Phrase::state_cancelled, "2"},
    {"time_limit", Phrase::state_time_limit, "31"},
    {"up", Phrase::state_up, "32"},
    {"valid", Phrase::state_valid, "32"},
    {"expired", Phrase::state_expired, "2"},
    {"revoked", Phrase::state_revoked, "2"},
    {"disabled", Phrase::state_disabled, "31"},
    {"draining", Phrase::state_draining, "33"},
    {"evacuating", Phrase::state_evacuating, "33"},
    {"now", Phrase::starts_now, "32"},
    {"later", Phrase::starts_later, "33"},
    {"unknown", Phrase::starts_unknown, ""},
    {"created", Phrase::result_created, "32"},
    {"changed", Phrase::result_changed, "33"},
    {"refused", Phrase::result_refused, "31"},
    {"unchanged", Phrase::result_unchanged, ""},
};

const Named* find_word(std::string_view name) {
  const auto* found = std::ranges::find(words, name, &Named::name);
  return found == std::end(words) ? nullptr : found;
}

std::string_view colour_of(std::string_view raw, Kind kind) {
  const Named* word = kind == Kind::word ? find_word(raw) : nullptr;
  return word ? word->colour : std::string_view{};
}

void append_csv(std::string& out, std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += cell;
    return;
  }
  out += '"';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::string painted(std::string text, std::string_view colour) {
  if (colour.empty()) return text;
  return "\x1b[" + std::string(colour) + "m" + std::move(text) + "\x1b[0m";
}

}  // namespace

std::string raw_text(JsonValue value) {
  if (const auto text = value.text()) return std::string(*text);
  if (const auto number = value.integer()) return std::to_string(*number);
  if (const auto number = value.unsigned_integer()) return std::to_string(*number);
  if (const auto b = value.boolean()) return *b ? "true" : "false";
  if (const auto number = value.number()) return fmt::format("{}", *number);
  if (value.is_array()) {
    std::string all;
    value.each_item([&](JsonValue item) {
      if (!all.empty()) all += ',';
      all += raw_text(item);
      return true;
    });
    return all;
  }
  if (value["amount"].exists())
    return raw_text(value["amount"]) + " " + raw_text(value["currency"]);
  return {};
}

std::string shown_text(std::string_view raw, Kind kind, const Look& look) {
  if (raw.empty()) return "-";
  switch (kind) {
    case Kind::text:
    case Kind::number: return printable(raw);
    case Kind::credits: return printable(grouped(raw));
    case Kind::money: {
      const std::size_t blank = std::min(raw.find(' '), raw.size());
      return printable(grouped(raw.substr(0, blank)) + std::string(raw.substr(blank)));
    }
    case Kind::span: {
      const auto ms = parse_decimal(raw, 0);
      return ms ? span_text(*ms) : printable(raw);
    }
    case Kind::instant: return printable(instant_text(raw, look.zone));
    case Kind::word: {
      const Named* word = find_word(raw);
      return word ? std::string(text_of(word->phrase, look.language)) : printable(raw);
    }
    case Kind::yes_no:
      return std::string(text_of(raw == "true" ? Phrase::yes : Phrase::no, look.language));
  }
  return {};
}

void Table::add(JsonValue object) {
  std::vector<std::string> cells(columns_.size());
  object.each_member([&](std::string_view key, JsonValue value) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].field == key) cells[i] = raw_text(value);
    }
    return true;
  });
  rows_.push_back({std::move(cells), 0});
}

void Table::add(std::vector<std::string> raw_cells, std::size_t repeats) {
  TENBIN_ASSERT(raw_cells.size() == columns_.size());
  rows_.push_back({std::move(raw_cells), repeats});
}

std::string Table::records(const Look& look) const {
  int left = 0;
  for (const Column& column : columns_)
    left = std::max(left, width_of(text_of(column.header, look.language)));
  std::string out;
  for (const Row& row : rows_) {
    if (!out.empty()) out += '\n';
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view head = text_of(columns_[i].header, look.language);
      const std::string shown = shown_text(row.cells[i], columns_[i].kind, look);
      const std::string_view colour = colour_of(row.cells[i], columns_[i].kind);
      out += look.colour ? painted(std::string(head), "1") : std::string(head);
      out.append(static_cast<std::size_t>(left - width_of(head) + 2), ' ');
      out += (look.colour ? painted(shown, colour) : shown) + '\n';
    }
  }
  return out;
}

std::string Table::text(const Look& look) const {
  struct Cell {
    std::string text;
    int width = 0;
    std::string_view colour;
  };
  std::vector<std::vector<Cell>> lines;
  std::vector<int> widths(columns_.size());
  const auto put = [&](std::vector<Cell>& line, std::string text, std::string_view colour) {
    const int width = width_of(text);
    int& column = widths[line.size()];
    column = std::max(column, width);
    line.push_back({std::move(text), width, colour});
  };
  std::vector<Cell>& head = lines.emplace_back();
  for (const Column& column : columns_)
    put(head, std::string(text_of(column.header, look.language)), "1");
  for (const Row& row : rows_) {
    std::vector<Cell> line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& raw = row.cells[i];
      const Kind kind = columns_[i].kind;
      put(line, i < row.repeats ? "" : shown_text(raw, kind, look), colour_of(raw, kind));
    }
    lines.push_back(std::move(line));
  }

  // Figures are never cut, only words; and none so far that it means nothing any more.
  constexpr int least = 10;
  std::vector<int> leasts;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Kind kind = columns_[i].kind;
    const int head_width = width_of(text_of(columns_[i].header, look.language));
    leasts.push_back(kind == Kind::text ? std::min(widths[i], std::max(least, head_width))
                                        : widths[i]);
  }
  std::vector<bool> left_out(columns_.size());
  const auto sum = [&](const std::vector<int>& of) {
    int total = -2;
    for (std::size_t i = 0; i < of.size(); ++i) total += left_out[i] ? 0 : of[i] + 2;
    return total;
  };
  while (look.columns > 0 && sum(leasts) > look.columns) {
    std::size_t worst = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool spare = columns_[i].spare > 0 && !left_out[i];
      if (spare && (worst == columns_.size() || columns_[i].spare > columns_[worst].spare))
        worst = i;
    }
    if (worst == columns_.size()) return records(look);
    left_out[worst] = true;
  }
  while (look.columns > 0 && sum(widths) > look.columns) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool can = !left_out[i] && widths[i] > leasts[i];
      if (can && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    }
    --widths[widest];
  }
  for (auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (left_out[i]) line[i] = {};
      if (line[i].width <= widths[i]) continue;
      line[i].text = cut(line[i].text, widths[i]);
      line[i].width = width_of(line[i].text);
    }
  }

  std::string out;
  for (const auto& line : lines) {
    std::size_t blanks = 0;  // written only if something follows
    bool first = true;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const Cell& cell = line[i];
      if (left_out[i]) continue;
      const auto room = static_cast<std::size_t>(widths[i] - cell.width);
      const bool right = on_the_right(columns_[i].kind);
      if (!first) blanks += 2;
      first = false;
      if (right) blanks += room;
      if (!cell.text.empty()) {
        out.append(blanks, ' ');
        blanks = 0;
        out += look.colour ? painted(cell.text, cell.colour) : cell.text;
      }
      if (!right) blanks += room;
    }
    out += '\n';
  }
  return out;
}

std::string Table::csv() const {
  std::string out;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) out += ',';
    append_csv(out, columns_[i].field);
  }
  out += '\n';
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      if (i > 0) out += ',';
      append_csv(out, row.cells[i]);
    }
    out += '\n';
  }
  return out;
}

void Table::print(const Context& context) const {
  if (context.format == Format::csv) {
    context.print(csv());
  } else if (empty()) {
    context.note(context.say(Phrase::nothing));
  } else {
    context.print(text(context.look));
  }
}

}  // namespace tenbin::cli
