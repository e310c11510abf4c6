// The status page without a server: what is escaped, what a cookie may do, and that both languages
// say all of it. What goes through HTTP is in tests/faults/page_test.cc.

#include "api/page.h"

#include <doctest/doctest.h>

#include "api/embedded.h"
#include "core/facts.h"

namespace tenbin {

namespace {

const Instant start{1'800'000'000'000};

struct Site {
  World world;
  Facts facts;

  void ask(Command command, std::string_view by = {}) {
    facts.clear();
    Asked asked{.command = std::move(command)};
    if (!by.empty()) asked.by = world.index.persons.find(by)->second;
    const Decision decision = apply(world, asked, start, facts);
    REQUIRE(decision);
  }
  PersonId person(std::string_view name) const { return world.index.persons.find(name)->second; }

  Site() {
    ask(DeclareProvider{"provider", "<i>provider"});
    ask(DeclareRegion{"region", "<script>alert('region')</script>"});
    ask(DeclarePool{.name = "pool",
                    .provider = "provider",
                    .region = "region",
                    .gpu_model = "m",
                    .gpus_per_node = 4});
    for (const Text node : {"n0", "n1", "n2"}) ask(DeclareNode{node, "pool"});
    ask(SetPrice{"pool", Credits{1'000'000}});
    ask(DeclareFunder{"funder", "", Money{1'000'000'000}, Credits{1'000'000}});
    ask(DeclareProgramme{"programme", ""});
    ask(DeclareOrganisation{"organisation", ""});
    ask(DeclareGrant{"grant", "", "programme", "organisation"});
    ask(DeclareLot{"lot",
                   "grant",
                   "funder",
                   Money{100'000'000},
                   start,
                   Instant{start.ms + 86'400'000'000},
                   {}});
    for (const Text name : {"mine", "theirs"}) {
      const std::string title = "Title of " + std::string(name) + " \"<b>&'";
      ask(DeclareProject{name, title, "organisation"});
      ask(DeclareAllocation{name, "grant", name, Credits{1'234'567'890'000}, {}});
    }
    ask(DeclarePerson{"officer", "<u>Officer", Role::officer});
    ask(DeclarePerson{"me", "", Role::member});
    ask(DeclareMember{.project = "mine", .person = "me"});
  }
  void submit(Text project, Text name, std::int64_t gpus = 1, std::uint32_t tasks = 1) {
    SubmitJob job;
    job.project = project;
    job.name = name;
    job.shape.gpus = Gpus{gpus * 1'000};
    job.time_limit = Span{3'600'000};
    job.tasks = tasks;
    ask(job, "officer");
  }
  void schedule() { ask(Schedule{}); }
};

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("page: a member sees the fleet and the own projects, an officer all") {
  Site site;
  site.submit("mine", "my-job", 4);
  site.submit("theirs", "their-job", 4);
  site.submit("theirs", "their-second", 4);
  site.schedule();
  site.submit("theirs", "waits-there", 4);
  site.submit("mine", "waits-here", 4);
  site.schedule();

  const Board mine = look(site.world, site.person("me"));
  CHECK(mine.running == 1);
  CHECK(mine.waiting == 1);
  REQUIRE(mine.runs.size() == 1);
  CHECK(mine.runs[0].name == "my-job");
  REQUIRE(mine.next.size() == 1);
  CHECK(mine.next[0].name == "waits-here");
  REQUIRE(mine.balances.size() == 1);
  CHECK(mine.regions[0].pools[0].busy == Gpus{12'000});  // the fleet is everybody's
  for (const Language language : {Language::english, Language::japanese}) {
    const std::string html = page::part(mine, language);
    CHECK(has(html, "my-job"));
    CHECK(has(html, "waits-here"));
    CHECK_FALSE(has(html, "their"));
    CHECK_FALSE(has(html, "waits-there"));
  }
  const Board all = look(site.world, site.person("officer"));
  CHECK(all.running == 3);
  CHECK(all.waiting == 2);
  CHECK(all.runs.size() == 3);
  CHECK(all.balances.size() == 2);
  CHECK(all.sum.allocated == Credits{2 * 1'234'567'890'000});
  CHECK(all.sum.free + all.sum.held + all.sum.spent + all.sum.expired == all.sum.allocated);
}

TEST_CASE("page: text from outside is text, wherever it stands") {
  Site site;
  site.submit("mine", "<img src=x onerror=alert(1)>", 4);
  site.schedule();
  site.submit("mine", "\" onmouseover=\"x' & </bdi></table>", 4);
  site.schedule();
  const std::string html =
      page::whole(look(site.world, site.person("officer")), start, true, Language::english);
  CHECK(has(html, "&lt;img src=x onerror=alert(1)&gt;"));
  CHECK(has(html, "&quot; onmouseover=&quot;x&#39; &amp; &lt;/bdi&gt;&lt;/table&gt;"));
  CHECK(has(html, "&lt;script&gt;alert(&#39;region&#39;)&lt;/script&gt;"));
  CHECK(has(html, "&lt;u&gt;Officer"));
  for (const std::string_view raw : {"<img src=x", "<script>", "<u>", "<b>&", "onmouseover=\""})
    CHECK_FALSE(has(html, raw));
  // The policy forbids them, and the page needs none: only its own file of script.
  CHECK_FALSE(has(html, " style="));
  CHECK_FALSE(has(html, "<style"));
  CHECK_FALSE(has(html, " onclick"));
  CHECK_FALSE(has(html, "http:"));
  CHECK_FALSE(has(html, "https:"));
  CHECK(page::escaped("a<>&\"'b") == "a&lt;&gt;&amp;&quot;&#39;b");
}

TEST_CASE("page: complete without script, in both languages, with nodes that are not up") {
  Site site;
  site.submit("mine", "holder", 4);
  site.schedule();
  site.ask(DrainNode{"n0"});
  site.ask(DrainNode{"n2"});
  site.ask(EvacuateNode{"n2"});
  site.submit("mine", "array", 4, 1'000);
  site.schedule();
  const Board board = look(site.world, site.person("officer"));
  const Board::Pool& pool = board.regions[0].pools[0];
  CHECK(pool.up == 1);
  CHECK(pool.draining == 1);
  CHECK(pool.evacuating == 1);
  CHECK(pool.all == Gpus{12'000});
  CHECK(board.waiting + board.running == 1'001);
  const std::string en = page::whole(board, start, true, Language::english);
  const std::string ja = page::whole(board, start, false, Language::japanese);
  CHECK(en.starts_with("<!doctype html><html lang=\"en\">"));
  CHECK(ja.starts_with("<!doctype html><html lang=\"ja\">"));
  for (const std::string_view words :
       {"Fleet", "1 draining", "1 evacuating", "holder", "Ends by", "Queue", "Allocated",
        "1,234,568", "1234567.89", "2027-01-15 08:00 UTC", "<noscript><meta http-equiv=\"refresh\"",
        "The service is up"})
    CHECK_MESSAGE(has(en, words), words);
  for (const std::string_view words :
       {"計算機群", "割当停止 1", "退避中 1", "holder", "終了期限", "待ち行列", "配分", "1,234,568",
        "サービスは現在ジャーナルを書き込めません", "サインアウト"})
    CHECK_MESSAGE(has(ja, words), words);
  CHECK(
      has(page::sign_in_form(true, true, Language::japanese), "このトークンは有効ではありません"));
  CHECK_FALSE(has(page::sign_in_form(true, false, Language::english), "not valid"));
}

TEST_CASE("page: however much waits, a look reads a bounded part of it and sums are whole") {
  Site site;
  for (int i = 0; i < 3'000; ++i) site.submit(i % 100 == 99 ? "mine" : "theirs", "j", 4);
  site.schedule();
  const BoardLimits limits{.rows = 10, .jobs_read = 500};
  const Board all = look(site.world, site.person("officer"), limits);
  CHECK(all.running == 3);
  CHECK(all.waiting == 2'997);
  CHECK(all.next.size() == 10);
  CHECK(all.next.front().id < all.next.back().id);
  const Board mine = look(site.world, site.person("me"), limits);
  CHECK(mine.waiting == 30);
  CHECK(mine.next.size() == 5);  // among the first 500
  CHECK(has(page::part(mine, Language::english), "Below are the next 5"));
  // Who sees some projects only, and more runs than is looked at: it says so.
  const Board least = look(site.world, site.person("me"), {.rows = 10, .jobs_read = 2});
  CHECK_FALSE(least.running_exact);
  CHECK(has(page::part(least, Language::english), "At most 30 wait"));
  CHECK(has(page::part(least, Language::japanese), "待機中は最大 30 件"));
  CHECK(look(site.world, site.person("officer"), {.rows = 10, .jobs_read = 2}).running_exact);
}

TEST_CASE("page: cookies") {
  CHECK(page::token_in("tenbin_token=abc") == "abc");
  CHECK(page::token_in("a=b; tenbin_token=a%2Bc;x=y") == "a+c");
  CHECK_FALSE(page::token_in(""));
  CHECK_FALSE(page::token_in("xtenbin_token=abc; tenbin_token"));
  CHECK(page::set_cookie("a;b", Span{90'500}, false) ==
        "tenbin_token=a%3Bb; Path=/; Max-Age=90; HttpOnly; SameSite=Strict");
  CHECK(page::set_cookie("", {}, true) ==
        "tenbin_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
  const auto from = [](net::Headers headers) {
    return page::from_our_page(net::Request{.headers = std::move(headers)});
  };
  CHECK(from({{"Host", "h:1"}}));
  CHECK(from({{"Host", "h:1"}, {"Origin", "http://h:1"}}));
  CHECK_FALSE(from({{"Host", "h:1"}, {"Origin", "http://h:2"}}));
  CHECK_FALSE(from({{"Host", "h:1"}, {"Origin", "null"}}));
  CHECK(from({{"Sec-Fetch-Site", "same-origin"}}));
  CHECK_FALSE(from({{"Sec-Fetch-Site", "same-site"}}));
  CHECK_FALSE(from({{"Sec-Fetch-Site", "cross-site"}, {"Host", "h:1"}, {"Origin", "http://h:1"}}));
}

TEST_CASE("page: its files ask nobody else for anything") {
  for (const std::string_view file : {page_css(), page_js()}) {
    CHECK(file.size() > 1'000);
    CHECK(file.find("http") == std::string_view::npos);
    CHECK(file.find("//cdn") == std::string_view::npos);
  }
  CHECK(page_js().find("innerHTML") == std::string_view::npos);
  CHECK(page_js().find("eval") == std::string_view::npos);
  CHECK(page_css().find("url(") == std::string_view::npos);
}

}  // namespace tenbin
