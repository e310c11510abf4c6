#include "api/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/events.h"

namespace tenbin::page {

namespace {

/// Text in the page's language.
struct Say {
  Language language;
  std::string_view operator()(std::string_view english, std::string_view japanese) const {
    return language == Language::japanese ? japanese : english;
  }
};

// ---- values in words ----

std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

/// Whole credits, of small amounts with two decimals; what is exact is in its title.
std::string credits(Credits amount) {
  const std::string exact = text_of(amount);
  const std::int64_t whole = amount.count / 1'000'000, rest = amount.count % 1'000'000;
  std::string shown = grouped(whole);
  if (whole >= 100) {
    shown = grouped(whole + (rest >= 500'000));  // so that columns add up as well as they can
  } else if (rest >= 10'000) {
    shown += fmt::format(".{:02}", rest / 10'000);
  }
  return fmt::format("<data value=\"{0}\" title=\"{0}\">{1}</data>", exact, shown);
}

std::string gpus(Gpus amount) {
  if (amount.count % 1'000 == 0) return grouped(amount.count / 1'000);
  return text_of(amount);
}

/// In UTC, until the page's script puts it into the browser's zone.
std::string time_of(Instant t) {
  if (t.ms == 0) return "–";
  const std::string iso = text_of(t);
  return fmt::format("<time datetime=\"{}\" title=\"{} UTC\">{} UTC</time>", iso,
                     iso.substr(0, 10) + " " + iso.substr(11, 8),
                     iso.substr(0, 10) + " " + iso.substr(11, 5));
}

/// A name from outside: its letters may run from right to left, and then only its own do.
std::string name_of(std::string_view text) {
  return "<bdi>" + escaped(text) + "</bdi>";
}
std::string title_of(std::string_view name, std::string_view title) {
  if (title.empty() || title == name) return "<bdi>" + escaped(name) + "</bdi>";
  return "<bdi>" + escaped(title) + "</bdi> <small><bdi>" + escaped(name) + "</bdi></small>";
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name_of(name);
  return text;
}

// ---- pieces ----

/// Parts of a whole, side by side; what they come to is said beside it in figures.
std::string bar(std::int64_t whole,
                std::initializer_list<std::pair<std::string_view, std::int64_t>> parts) {
  std::string text =
      "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\" "
      "focusable=\"false\"><rect class=\"rest\" width=\"1000\" height=\"10\"/>";
  std::int64_t from = 0;
  for (const auto& [name, amount] : parts) {
    if (whole <= 0 || amount <= 0) continue;
    const auto width =
        static_cast<std::int64_t>(static_cast<double>(amount) * 1e3 / static_cast<double>(whole));
    // What is there is seen, however small.
    const std::int64_t shown = std::min(std::max<std::int64_t>(width, 4), 1'000 - from);
    text +=
        fmt::format("<rect class=\"{}\" x=\"{}\" width=\"{}\" height=\"10\"/>", name, from, shown);
    from += shown;
  }
  return text + "</svg>";
}

/// A table whose rows become cards on a narrow screen. The roles say that it is one all the same.
class TableText {
 public:
  TableText(std::string_view kind, std::string_view caption, std::vector<std::string_view> heads)
      : heads_(std::move(heads)) {
    text_ = fmt::format(
        "<table role=\"table\" class=\"{}\"><caption>{}</caption><thead role=\"rowgroup\"><tr "
        "role=\"row\">",
        kind, caption);
    for (const std::string_view head : heads_)
      text_ += fmt::format("<th scope=\"col\" role=\"columnheader\">{}</th>", head);
    text_ += "</tr></thead><tbody role=\"rowgroup\">";
  }
  void row(const std::vector<std::string>& cells, std::string_view kind = "") {
    text_ += fmt::format("<tr role=\"row\"{}>", kind);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text_ += i == 0 ? fmt::format("<th scope=\"row\" role=\"rowheader\">{}</th>", cells[i])
                      : fmt::format("<td role=\"cell\" data-label=\"{}\"><span>{}</span></td>",
                                    heads_[i], cells[i]);
    }
    text_ += "</tr>";
  }
  std::string end() && { return std::move(text_) + "</tbody></table>"; }

 private:
  std::vector<std::string_view> heads_;
  std::string text_;
};

/// What the colours of bars mean.
std::string key(std::initializer_list<std::pair<std::string_view, std::string_view>> parts) {
  std::string text = "<p class=\"key\">";
  for (const auto& [name, words] : parts)
    text += fmt::format("<span><i class=\"{}\"></i>{}</span> ", name, words);
  return text + "</p>";
}

std::string tile(std::string_view name, const std::string& figure, const std::string& unit,
                 const std::string& more) {
  return fmt::format(
      "<div class=\"tile\"><dt>{}</dt><dd>{}<small>{}</small></dd><dd class=\"more\">{}</dd></div>",
      name, figure, unit, more);
}

std::string_view word_of(JobState state, Say say) {
  switch (state) {
    case JobState::queued: return say("queued", "待機中");
    case JobState::blocked: return say("blocked", "先行待ち");
    case JobState::on_hold: return say("on hold", "保留中");
    case JobState::running: return say("running", "実行中");
    case JobState::stopping: return say("stopping", "停止処理中");
    case JobState::completed: return say("completed", "完了");
    case JobState::failed: return say("failed", "失敗");
    case JobState::cancelled: return say("cancelled", "取消");
    case JobState::time_limit: return say("time limit", "時間切れ");
  }
  return "";
}

std::string job_cell(const Board::Job& job, Say say) {
  std::string text = fmt::format("<span class=\"id\">{}</span> {}", job.id.value,
                                 job.name.empty() ? "" : name_of(job.name));
  if (job.tasks > 1)
    text += fmt::format(" <small>{} {}</small>", grouped(static_cast<std::int64_t>(job.tasks)),
                        say("tasks", "タスク"));
  return text;
}

std::string waits_for(const Board::Job& job, Say say) {
  if (job.state == JobState::blocked) {
    if (job.after.empty()) {
      return fmt::format(fmt::runtime(say("its array runs {} tasks at once, and no more",
                                          "同じ配列のタスクが同時実行数の上限（{} 件）まで実行中")),
                         job.at_once);
    }
    std::string jobs;
    for (const JobId id : job.after) jobs += (jobs.empty() ? "" : ", ") + std::to_string(id.value);
    return fmt::format(fmt::runtime(say("the end of job {}", "先行ジョブ {} の終了")), jobs);
  }
  if (job.pools.empty())
    return std::string(say("a pool that has what it asks for", "条件に合うプール"));
  const std::string pools = list_of(job.pools), asked = gpus(job.asked), free = gpus(job.free);
  std::string text =
      job.free < job.asked
          ? fmt::format(fmt::runtime(say("{0} GPUs in {2}; {1} free now",
                                         "{2} の GPU {0} 個（現在の空き {1} 個）")),
                        asked, free, pools)
          : fmt::format(
                fmt::runtime(say("its turn, or {0} GPUs that lie as asked, in {2}; {1} free",
                                 "{2} での順番、または条件どおりの GPU {0} 個の並び"
                                 "（現在の空き {1} 個）")),
                asked, free, pools);
  if (job.promised.ms != 0) {
    text += fmt::format(fmt::runtime(say("<br>starts by {}", "<br>遅くとも {} に開始")),
                        time_of(job.promised));
  }
  return text;
}

// ---- the parts of the page ----

std::string tiles(const Board& board, Say say) {
  Gpus all, busy, free;
  std::uint64_t up = 0, draining = 0, evacuating = 0;
  for (const Board::Region& region : board.regions) {
    for (const Board::Pool& pool : region.pools) {
      all += pool.all;
      busy += pool.busy;
      free += pool.free;
      up += pool.up;
      draining += pool.draining;
      evacuating += pool.evacuating;
    }
  }
  const auto count = [](std::uint64_t n) { return grouped(static_cast<std::int64_t>(n)); };
  const auto with = [](std::string_view words, const auto&... figures) {
    return fmt::format(fmt::runtime(words), figures...);
  };
  std::string text = "<dl class=\"tiles\">";
  text += tile(say("GPUs in use", "使用中の GPU"), gpus(busy),
               with(say(" / {}", " / {} 個"), gpus(all)),
               with(say("{} free", "空き {} 個"), gpus(free)));
  std::string absent;
  if (draining + evacuating > 0)
    absent = with(say("{} draining, {} evacuating", "割当停止 {}、退避中 {}"), count(draining),
                  count(evacuating));
  text += tile(say("Nodes up", "稼働中のノード"), count(up),
               with(say(" / {}", " / {} 台"), count(up + draining + evacuating)), absent);
  const std::string unit(say(" jobs", " 件"));
  const std::string own(board.all_jobs ? std::string_view()
                                       : say("of your projects", "参加プロジェクトのジョブ"));
  text += tile(say("Running", "実行中"), count(board.running) + (board.running_exact ? "" : "+"),
               unit, own);
  text += tile(say("Waiting", "待機中"), (board.running_exact ? "" : "≤ ") + count(board.waiting),
               unit, own);
  return text + "</dl>";
}

std::string fleet(const Board& board, Say say) {
  std::string text = fmt::format("<section aria-labelledby=\"fleet\"><h2 id=\"fleet\">{}</h2>",
                                 say("Fleet", "計算機群"));
  if (!board.regions.empty())
    text += key({{"busy", say("in use", "使用中")},
                 {"free", say("free", "空き")},
                 {"out", say("not to be had: draining", "使えない（割当停止・退避中）")}});
  for (const Board::Region& region : board.regions) {
    TableText table("pools", title_of(region.name, region.title),
                    {say("Pool", "プール"), "GPU", say("GPUs in use", "使用中の GPU"),
                     say("Free", "空き"), say("Nodes", "ノード")});
    for (const Board::Pool& pool : region.pools) {
      const Gpus out = pool.all - pool.busy - pool.free;
      std::string nodes = fmt::format(fmt::runtime(say("{} up", "稼働 {}")), pool.up);
      if (pool.draining > 0)
        nodes += fmt::format(fmt::runtime(say(", <b class=\"warn\">{} draining</b>",
                                              "、<b class=\"warn\">割当停止 {}</b>")),
                             pool.draining);
      if (pool.evacuating > 0)
        nodes += fmt::format(fmt::runtime(say(", <b class=\"warn\">{} evacuating</b>",
                                              "、<b class=\"warn\">退避中 {}</b>")),
                             pool.evacuating);
      table.row(
          {name_of(pool.name) + " <small>" + name_of(pool.provider) + "</small>",
           name_of(pool.model),
           bar(pool.all.count,
               {{"busy", pool.busy.count}, {"free", pool.free.count}, {"out", out.count}}) +
               fmt::format("<span class=\"num\">{} / {}</span>", gpus(pool.busy), gpus(pool.all)),
           "<span class=\"num\">" + gpus(pool.free) + "</span>", nodes});
    }
    if (region.pools.empty()) {
      text += fmt::format("<p class=\"none\">{}: {}</p>", title_of(region.name, region.title),
                          say("no pools", "プールはありません"));
    } else {
      text += std::move(table).end();
    }
  }
  if (board.regions.empty())
    text += fmt::format(
        "<p class=\"none\">{}</p>",
        say("Nothing has been declared yet. <code>tenbin apply -f FILE</code> does it.",
            "まだ登録がありません。<code>tenbin apply -f FILE</code> で登録できます。"));
  return text + "</section>";
}

std::string queue(const Board& board, Say say) {
  std::string text = fmt::format("<section aria-labelledby=\"queue\"><h2 id=\"queue\">{}</h2>",
                                 say("Queue", "待ち行列"));
  if (board.waiting == 0) {
    return text + fmt::format("<p class=\"none\">{}</p></section>",
                              say("Nothing waits.", "待っているジョブはありません。"));
  }
  text += "<p>";
  text +=
      fmt::format(fmt::runtime(board.running_exact ? say("{} wait", "{} 件が待機中")
                                                   : say("At most {} wait", "待機中は最大 {} 件")),
                  grouped(static_cast<std::int64_t>(board.waiting)));
  if (board.oldest.ms != 0)
    text += fmt::format(fmt::runtime(say(", the oldest since {}", "、最も古いものは {} から")),
                        time_of(board.oldest));
  text += say(".", "。");
  std::uint64_t shown = 0;
  for (const Board::Job& job : board.next) shown += job.tasks;
  if (shown < board.waiting) {
    text += fmt::format(
        fmt::runtime(say(" Below are the next {}; the others come later, are on hold, or wait for "
                         "other jobs.",
                         "以下は次の {} 件です。ほかは順番が後か、保留中または先行待ちです。")),
        grouped(static_cast<std::int64_t>(shown)));
  }
  text += "</p>";
  if (!board.next.empty()) {
    TableText table("waiting", say("Next in line", "次に始まるジョブ"),
                    {say("Job", "ジョブ"), say("Project", "プロジェクト"), say("Asks for", "要求"),
                     say("Since", "投入"), say("Waits for", "待っているもの")});
    for (const Board::Job& job : board.next) {
      table.row({job_cell(job, say),
                 name_of(job.project) + " <small>" + name_of(job.person) + "</small>",
                 escaped(job.shape), time_of(job.submitted), waits_for(job, say)});
    }
    text += std::move(table).end();
  }
  return text + "</section>";
}

std::string running(const Board& board, Say say) {
  std::string text = fmt::format("<section aria-labelledby=\"runs\"><h2 id=\"runs\">{}</h2>",
                                 say("Running", "実行中"));
  if (board.runs.empty()) {
    return text + fmt::format("<p class=\"none\">{}</p></section>",
                              say("Nothing runs.", "実行中のジョブはありません。"));
  }
  if (board.runs.size() < board.running)
    text += fmt::format(fmt::runtime(say("<p>{} of {}, those that end first.</p>",
                                         "<p>{1} 件のうち、終了予定の早い {0} 件です。</p>")),
                        board.runs.size(), grouped(static_cast<std::int64_t>(board.running)));
  TableText table("running", say("What runs", "実行中のジョブ"),
                  {say("Job", "ジョブ"), say("Project", "プロジェクト"), say("Uses", "使用"),
                   say("Nodes", "ノード"), say("Since", "開始"), say("Ends by", "終了期限")});
  for (const Board::Job& job : board.runs) {
    table.row({job_cell(job, say) +
                   (job.state == JobState::stopping
                        ? fmt::format(" <b class=\"warn\">{}</b>", word_of(job.state, say))
                        : std::string()),
               name_of(job.project) + " <small>" + name_of(job.person) + "</small>",
               escaped(job.shape),
               list_of(job.nodes) + " <small>" + name_of(job.region) + "</small>",
               time_of(job.started), time_of(job.ends)});
  }
  return text + std::move(table).end() + "</section>";
}

std::string balances(const Board& board, Say say) {
  std::string text = fmt::format("<section aria-labelledby=\"credit\"><h2 id=\"credit\">{}</h2>",
                                 say("Credits of the projects", "プロジェクトのクレジット"));
  if (board.balances.empty()) {
    return text + fmt::format("<p class=\"none\">{}</p></section>",
                              say("No project whose credits you may see.",
                                  "残高を見られるプロジェクトはありません。"));
  }
  text += key({{"spent", say("spent", "使用")},
               {"held", say("held for jobs", "ジョブのために確保")},
               {"left", say("left", "残り")},
               {"out", say("expired", "失効")}});
  if (board.balances.size() < board.projects)
    text += fmt::format(
        fmt::runtime(say("<p>{} of {} projects; the sum is over all.</p>",
                         "<p>{1} プロジェクトのうち {0} 件。合計はすべてを含みます。</p>")),
        board.balances.size(), grouped(static_cast<std::int64_t>(board.projects)));
  TableText table("credits", say("Credits", "クレジット"),
                  {say("Project", "プロジェクト"), say("Share", "内訳"), say("Allocated", "配分"),
                   say("Held", "確保"), say("Spent", "使用"), say("Left", "残り")});
  const auto row = [&](const std::string& head, const Board::Project& p, std::string_view kind) {
    const auto figure = [](Credits amount) {
      return "<span class=\"num\">" + credits(amount) + "</span>";
    };
    table.row({head,
               bar(p.allocated.count, {{"spent", p.spent.count},
                                       {"held", p.held.count},
                                       {"left", p.free.count},
                                       {"out", p.expired.count}}),
               figure(p.allocated), figure(p.held), figure(p.spent), figure(p.free)},
              kind);
  };
  for (const Board::Project& project : board.balances)
    row(title_of(project.name, project.title), project, "");
  if (board.projects > 1) row(std::string(say("Sum", "合計")), board.sum, " class=\"sum\"");
  return text + std::move(table).end() + "</section>";
}

std::string head(Say say, bool signed_in) {
  // Without script the page comes again by itself; with it, only what has changed does.
  return fmt::format(
      "<!doctype html><html lang=\"{0}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light "
      "dark\"><title>{1}</title><link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\"><link "
      "rel=\"stylesheet\" href=\"/page.css\">{2}</head>",
      say("en", "ja"), say("Tenbin – Status", "天秤 – 稼働状況"),
      signed_in ? "<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript><script "
                  "src=\"/page.js\" defer></script>"
                : "");
}

std::string banner(Say say, std::string_view right) {
  const bool japanese = say.language == Language::japanese;
  return fmt::format(
      "<header><p class=\"brand\"><img src=\"/icon.svg\" alt=\"\" width=\"32\" height=\"32\"> "
      "Tenbin <span lang=\"ja\">天秤</span></p><nav aria-label=\"{0}\"><a href=\"/?lang=ja\" "
      "lang=\"ja\" hreflang=\"ja\"{1}>日本語</a> <a href=\"/?lang=en\" lang=\"en\" "
      "hreflang=\"en\"{2}>English</a></nav>{3}</header>",
      say("Language", "言語"), japanese ? " aria-current=\"true\"" : "",
      japanese ? "" : " aria-current=\"true\"", right);
}

std::string health(bool healthy, Say say) {
  return healthy ? fmt::format("<span class=\"good\">● {}</span>",
                               say("The service is up", "サービスは稼働中"))
                 : fmt::format("<b class=\"bad\">▲ {}</b>",
                               say("The service cannot write its journal at the moment",
                                   "サービスは現在ジャーナルを書き込めません"));
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string part(const Board& board, Language language) {
  const Say say{language};
  return tiles(board, say) + fleet(board, say) + balances(board, say) + queue(board, say) +
         running(board, say);
}

std::string whole(const Board& board, Instant now, bool healthy, Language language) {
  const Say say{language};
  std::string kinds;
  for (const std::string_view kind : event_names)
    kinds += (kinds.empty() ? "" : " ") + std::string(kind);
  const std::string right = fmt::format(
      "<form method=\"post\" action=\"/sign-out?lang={}\"><span>{}</span> "
      "<button>{}</button></form>",
      say("en", "ja"), name_of(board.person_title.empty() ? board.person : board.person_title),
      say("Sign out", "サインアウト"));
  return head(say, true) +
         fmt::format(
             "<body data-kinds=\"{}\" data-live=\"{}\" data-poll=\"{}\" data-lost=\"{}\">{}<main>"
             "<div class=\"top\"><h1>{}</h1><p>{}　<span class=\"as-of\">{} <span "
             "id=\"as-of\">{}</span></span> <span id=\"state\" role=\"status\"></span></p></div>"
             "<div id=\"board\">",
             kinds, say("live", "自動更新中"), say("every few seconds", "数秒ごとに更新"),
             say("no connection; what is shown may be old",
                 "接続できません。表示が古い可能性があります"),
             banner(say, right), say("Status", "稼働状況"), health(healthy, say),
             say("As of", "時点："), time_of(now)) +
         part(board, language) + "</div></main></body></html>";
}

std::string sign_in_form(bool healthy, bool refused, Language language) {
  const Say say{language};
  std::string text = head(say, false) + "<body>" + banner(say, "") +
                     fmt::format("<main class=\"door\"><h1>{}</h1><p>{}</p>",
                                 say("Status", "稼働状況"), health(healthy, say));
  text += fmt::format("<form method=\"post\" action=\"/sign-in?lang={}\">", say("en", "ja"));
  if (refused) {
    text += fmt::format(
        "<p class=\"bad\" role=\"alert\" id=\"refused\">{}</p>",
        say("This token is not valid: it is mistyped, over or revoked. Copy it again, or ask for a "
            "new one.",
            "このトークンは有効ではありません（入力誤り、期限切れ、または失効）。もう一度コピーする"
            "か、新しいトークンを発行してもらってください。"));
  }
  return text +
         fmt::format(
             "<label for=\"token\">{}</label><input id=\"token\" name=\"token\" type=\"password\" "
             "required autofocus autocomplete=\"current-password\" spellcheck=\"false\" "
             "aria-describedby=\"hint{}\"><button>{}</button><p id=\"hint\" class=\"hint\">{}</p>"
             "</form></main></body></html>",
             say("Token", "トークン"), refused ? " refused" : "", say("Sign in", "サインイン"),
             say("You see what your role permits. A token that can only look is enough: "
                 "<code>tenbin token create --read-only</code>",
                 "役割に応じた内容が表示されます。閲覧専用のトークンで十分です：<code>tenbin token "
                 "create --read-only</code>"));
}

net::Response respond(std::string html, int status) {
  return {.status = status,
          .content_type = "text/html; charset=utf-8",
          .body = std::move(html),
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                       "connect-src 'self'; form-action 'self'; base-uri 'none'; "
                       "frame-ancestors 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      // Not no-referrer: then forms would come from nowhere, and ours could not be
                      // told from those of others.
                      {"Referrer-Policy", "same-origin"},
                      {"X-Frame-Options", "DENY"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Cache-Control", "no-store"}}};
}

// ---- who it is ----

std::optional<std::string> token_in(std::string_view cookies) {
  while (!cookies.empty()) {
    std::string_view one = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(one.size() + 1, cookies.size()));
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || one.substr(0, equals) != cookie_name) continue;
    return net::percent_decoded(one.substr(equals + 1), net::Plus::is_plus);
  }
  return std::nullopt;
}

std::string set_cookie(std::string_view token, Span lasts, bool secure) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", cookie_name,
                     net::percent_encoded(token), std::max<std::int64_t>(lasts.count / 1'000, 0),
                     secure ? "; Secure" : "");
}

bool from_our_page(const net::Request& request) {
  // Browsers say where a form stood; who is no browser has no cookie that somebody else could use.
  if (const std::string_view site = request.header("Sec-Fetch-Site"); !site.empty())
    return site == "same-origin";
  const std::string_view origin = request.header("Origin");
  const std::size_t scheme = origin.find("://");
  return origin.empty() ||
         (scheme != std::string_view::npos && origin.substr(scheme + 3) == request.header("Host"));
}

}  // namespace tenbin::page
