'use strict';
// The page of `tenbin replay --html`. Its data lie in the element #data as JSON; nothing is fetched.
const D = JSON.parse(document.getElementById('data').textContent);
const W = {
  en: {
    sub: '{jobs} jobs, {gpus} GPUs{pools}, {span}', pools: ' in {n} pools', other: '日本語', lang: 'Language',
    summary: 'Which policy, and why', course: 'Over time', waits: 'Who waits how long', gains: 'Who gains, who loses', gantt: 'What ran where', about: 'How to read this',
    best: 'Shortest mean wait: {a} ({x}). {b} waits {r} times as long ({y}).', alike: 'All policies wait alike: GPUs are never short here, so the choice makes no difference.',
    calm: 'Longest single wait: {x} under {a}, {y} under {b}.', one: 'Mean wait {x}, longest {y}, utilisation {u}.',
    stopped: 'The replay was stopped early: the figures are of what there was by then.',
    policy: 'Policy', parts: 'Parts', jobs: 'Jobs', refused: 'Refused', mean: 'Mean wait', p50: 'P50', p95: 'P95', p99: 'P99', max: 'Longest', slow: 'Slowdown', jct: 'Mean time to finish', util: 'Utilisation', frag: 'Fragmented', make: 'Makespan', credits: 'Credits',
    slownote: 'A dot marks the best in a column. Slowdown: time to finish over run time, at least 10 s, at least 1.',
    utilt: 'GPUs in use', waitt: 'Jobs waiting', askt: 'GPUs asked for by waiting jobs', show: 'Show', coursenote: 'Means over {d} each. Move over a chart, or focus it and use the arrow keys, to read it.',
    bysize: 'By size of job (GPUs)', byowner: 'By owner: the {n} with most GPU time', others: 'others', everyone: 'all', njobs: '{n} jobs',
    waitnote: 'Line: from the 5th to the 95th per cent of jobs; box: the middle half; tick: median; diamond: mean. Logarithmic above one second.', nowait: '0', tbl: 'The same as a table',
    from: 'From', to: 'to', better: 'shorter wait', same: 'same', worse: 'longer wait', gainnote: 'Each job’s wait under the second policy compared with the first. Same: within a second.',
    meand: 'Mean change of wait', mostg: 'Gain most', mostl: 'Lose most', job: 'Job', owner: 'Owner', size: 'GPUs', wa: 'Wait under {p}', none: 'none', onepol: 'Replay with two or more policies (--policy again) to see who gains and who loses.', onewhole: 'Fewer than two replays went to their end: there is nothing to compare.',
    zin: 'Zoom in', zout: 'Zoom out', all: 'Everything', tall: 'Taller', flat: 'Flatter', gnote: 'Time runs to the right; GPUs are stacked by node. Drag to move, wheel to zoom time, Shift and wheel to zoom GPUs; keys: arrows, + −, [ ], 0.',
    lanes: 'The pool is counted, not placed: rows are drawn so that jobs do not overlap and are no real places.',
    drawn: 'Drawn: {n} of {m} pieces, the largest, with {p} of the GPU time. The shade behind is everything.', drawnall: 'Every job is drawn.', node: 'node', gpu: 'GPU', ran: 'ran', waited: 'waited', by: 'of',
    hide: 'Nothing to show: no job started.', busy: 'busy',
    a1: 'The twin drives the same scheduler, ledger and placement as the live service, with a virtual clock. Jobs run as long as they did in the trace, wherever they are put; how people would have behaved under another policy is not modelled.',
    a2: 'A wait is from submission to start; jobs that never started are not in it. Percentile p: the value with p per cent of jobs below it.', left: 'Left out: {n} lines of the trace could not be used.', lim: 'The trace has no time limits; run times stand in for them, so backfill does better here than it would with people’s estimates.', atl: '{n} jobs had not ended in the journal; they run for their time limit.',
    d: 'd', h: 'h', m: 'm', s: 's',
  },
  ja: {
    sub: 'ジョブ {jobs} 件、GPU {gpus} 基{pools}、{span}', pools: '（プール {n}）', other: 'English', lang: '言語',
    summary: 'どの方針がよいか、その理由', course: '時間の経過', waits: '誰がどれだけ待つか', gains: '得をする人、損をする人', gantt: 'どこで何が動いたか', about: '読み方',
    best: '平均待ち時間が最も短いのは {a}（{x}）。{b} の待ち時間はその {r} 倍（{y}）です。', alike: 'どの方針でも待ち時間は同じです。GPU が不足しないため、方針による差は出ません。',
    calm: '最も長く待ったジョブ：{a} で {x}、{b} で {y}。', one: '平均待ち時間 {x}、最長 {y}、使用率 {u}。',
    stopped: '再生を途中で終えました。数値はそれまでのものです。',
    policy: '方針', parts: '構成', jobs: 'ジョブ', refused: '拒否', mean: '平均待ち', p50: 'P50', p95: 'P95', p99: 'P99', max: '最長', slow: '減速比', jct: '完了までの平均', util: '使用率', frag: '断片化', make: '全期間', credits: 'クレジット',
    slownote: '各列で最もよい値に印を付けています。減速比は「完了までの時間 ÷ 実行時間」（実行時間は 10 秒以上とみなし、最小 1）です。',
    utilt: '使用中の GPU', waitt: '待っているジョブ', askt: '待っているジョブが求める GPU', show: '表示', coursenote: '{d}ごとの平均です。図の上にポインターを置くか、図を選んで矢印キーを押すと値を読めます。',
    bysize: 'ジョブの大きさ別（GPU 数）', byowner: '所有者別（GPU 時間の多い {n} 者）', others: 'その他', everyone: '全体', njobs: '{n} 件',
    waitnote: '線は 5～95 パーセンタイル、箱は中央の半数、縦棒は中央値、ひし形は平均です。1 秒以上は対数目盛です。', nowait: '0', tbl: '表で見る',
    from: '比較元', to: '比較先', better: '短くなった', same: '同じ', worse: '長くなった', gainnote: 'ジョブごとに、比較先の方針での待ち時間を比較元と比べます。差が 1 秒以内なら「同じ」です。',
    meand: '待ち時間の平均の変化', mostg: '最も得をするジョブ', mostl: '最も損をするジョブ', job: 'ジョブ', owner: '所有者', size: 'GPU', wa: '{p} での待ち', none: 'なし', onepol: '2 つ以上の方針（--policy を繰り返す）で再生すると、得失を比べられます。', onewhole: '最後まで再生した方針が 2 つに満たないため、比べられません。',
    zin: '拡大', zout: '縮小', all: '全体', tall: '縦に拡大', flat: '縦に縮小', gnote: '横が時間、縦がノードごとの GPU です。ドラッグで移動、ホイールで時間を、Shift とホイールで GPU を拡大・縮小します。キー：矢印、+ −、[ ]、0。',
    lanes: '数だけで管理するプールのため、実際の場所ではなく、重ならないように並べて描いています。',
    drawn: '全 {m} 個のうち大きい順に {n} 個（GPU 時間の {p}）を描いています。背景の濃淡はすべてのジョブを含みます。', drawnall: 'すべてのジョブを描いています。', node: 'ノード', gpu: 'GPU', ran: '実行', waited: '待ち', by: '所有者',
    hide: '開始したジョブがないため、表示するものがありません。', busy: '使用',
    a1: 'ツインは、稼働中のサービスと同じスケジューラー・台帳・配置を仮想の時計で動かします。ジョブはどこに置かれてもトレースと同じ時間だけ動くものとし、方針が違えば人の行動が変わることは考慮していません。',
    a2: '待ち時間は投入から開始までで、開始しなかったジョブは含みません。パーセンタイル p は、その値より短いものが p ％ あることを表します。', left: '除外：トレースの {n} 行は利用できませんでした。', lim: 'トレースに制限時間がないため、実行時間で代用しています。追い越しは、人の見積もりを使う場合より有利に出ます。', atl: 'ジャーナルに終了の記録がない {n} 件は、制限時間まで動くものとしました。',
    d: '日', h: '時間', m: '分', s: '秒',
  },
};
let lang = location.hash === '#ja' ? 'ja' : location.hash === '#en' ? 'en' : D.lang;
const t = (key, values = {}) => W[lang][key].replace(/\{(\w+)\}/g, (_, k) => values[k]);
const num = (n) => Number(n).toLocaleString(lang === 'ja' ? 'ja-JP' : 'en-US');
const pct = (x) => (x * 100).toFixed(1) + '%';
// A length of time from seconds, in at most two units.
function dur(sec) {
  const neg = sec < 0 ? '−' : '';
  let s = Math.abs(sec);
  const u = (v, k) => v + (lang === 'ja' ? W.ja[k] : W.en[k]);
  const two = (a, ka, b, kb) => u(a, ka) + (b ? (lang === 'ja' ? '' : ' ') + u(b, kb) : '');
  if (s < 10) return neg + u(s === 0 ? 0 : s.toFixed(1), 's');
  if (s < 60) return neg + u(Math.round(s), 's');
  s = Math.round(s);
  if (s < 3600) return neg + two(Math.floor(s / 60), 'm', s < 600 ? s % 60 : 0, 's');
  if (s < 86400) return neg + two(Math.floor(s / 3600), 'h', Math.floor(s % 3600 / 60), 'm');
  return neg + two(Math.floor(s / 86400), 'd', s < 864000 ? Math.floor(s % 86400 / 3600) : 0, 'h');
}
const secs = (units) => units * D.unit / 1000;
// An instant on the axis: a date where the trace has dates, else time since the first submission.
function when(sec, fine) {
  if (!D.dated) return '+' + dur(sec);
  const at = new Date(D.t0 + sec * 1000);
  const day = at.toISOString().slice(0, 10), time = at.toISOString().slice(11, 16);
  return fine ? day + ' ' + time : day;
}
const el = (tag, attributes = {}, ...inside) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) k.startsWith('on') ? e.addEventListener(k.slice(2), v) : e.setAttribute(k, v);
  e.append(...inside);
  return e;
};
const svg = (tag, attributes = {}, ...inside) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...inside);
  return e;
};
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (i) => `var(--c${i % 8})`;
const dash = (i) => ['', '8 4', '2 3', '10 3 2 3'][i % 4];
const P = D.policies;
const shown = new Set(P.keys());
// Which went to their end. One that was stopped says nothing about who is better.
const whole = [...P.keys()].filter((i) => !P[i].stopped);
const state = { base: whole[0], to: whole[1], gantt: 0, course: 'used', view: null };
const best = whole.reduce((a, i) => (P[i].started && (a < 0 || P[i].wait.mean < P[a].wait.mean) ? i : a), -1);
if (best >= 0) state.gantt = best;
if (best > whole[0]) state.to = best;

function section(id, title, ...inside) {
  return el('section', { id, 'aria-labelledby': id + '-h' }, el('h2', { id: id + '-h' }, title), ...inside);
}
const legend = (onchange) => el('div', { class: 'tools', role: 'group', 'aria-label': t('show') }, ...P.map((p, i) => {
  const key = el('span', { class: 'key', style: `border-color:${colour(i)};border-top-style:${dash(i) ? 'dashed' : 'solid'}` });
  const b = el('button', { type: 'button', class: 'pick', 'aria-pressed': String(shown.has(i)), onclick: () => {
    shown.has(i) && shown.size > 1 ? shown.delete(i) : shown.add(i);
    onchange();
  } }, key, p.name);
  return b;
}));

// ---- summary ----
function advice() {
  const good = whole.map((i) => P[i]).filter((p) => p.started > 0);
  const lines = [];
  if (good.length === 1) {
    lines.push(t('one', { x: dur(good[0].wait.mean), y: dur(good[0].wait.max), u: pct(good[0].utilisation) }));
  } else if (good.length > 1) {
    const by = (f) => [...good].sort((a, b) => f(a) - f(b));
    const mean = by((p) => p.wait.mean), a = mean[0], b = mean[mean.length - 1];
    if (b.wait.mean <= a.wait.mean * 1.001 + 0.001) {
      lines.push(t('alike'));
    } else {
      const r = b.wait.mean / Math.max(a.wait.mean, 0.001);
      lines.push(t('best', { a: a.name, b: b.name, x: dur(a.wait.mean), y: dur(b.wait.mean), r: r < 10 ? r.toFixed(1) : num(Math.round(r)) }));
      const max = by((p) => p.wait.max), c = max[0], e = max[max.length - 1];
      if (e.wait.max > c.wait.max) lines.push(t('calm', { a: c.name, b: e.name, x: dur(c.wait.max), y: dur(e.wait.max) }));
    }
  }
  if (P.some((p) => p.stopped)) lines.push(t('stopped'));
  return el('p', { class: 'advice' }, ...lines.flatMap((l, i) => (i ? [el('br'), l] : [l])));
}
function summary() {
  const columns = [
    ['jobs', (p) => p.jobs, num], ['refused', (p) => p.refused, num, 'low'], ['mean', (p) => p.wait.mean, dur, 'low'], ['p50', (p) => p.wait.p50, dur, 'low'],
    ['p95', (p) => p.wait.p95, dur, 'low'], ['p99', (p) => p.wait.p99, dur, 'low'], ['max', (p) => p.wait.max, dur, 'low'],
    ['slow', (p) => p.slowdown, (x) => (x < 100 ? x.toFixed(2) : num(Math.round(x))), 'low'], ['jct', (p) => p.jct, dur, 'low'], ['util', (p) => p.utilisation, pct, 'high'],
  ];
  if (P.some((p) => p.fragmentation !== null)) columns.push(['frag', (p) => p.fragmentation, (x) => (x === null ? '–' : pct(x)), 'low']);
  columns.push(['make', (p) => p.makespan, dur, 'low'], ['credits', (p) => p.credits, (x) => num(Math.round(x))]);
  const cells = (p, i) => columns.map(([, f, show, want]) => {
    const all = whole.map((k) => f(P[k])), text = show(f(p));
    const top = want === 'low' ? Math.min(...all) : Math.max(...all);
    const mark = want && !p.stopped && all.length > 1 && show(top) === text && all.some((x) => show(x) !== text);
    return el('td', mark ? { class: 'best' } : {}, text);
  });
  return section('summary', t('summary'), advice(),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('summary') }, el('table', {},
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, t('policy')), ...columns.map(([k]) => el('th', { scope: 'col' }, t(k))))),
      el('tbody', {}, ...P.map((p, i) => el('tr', {}, el('td', {}, el('span', { class: 'key', style: `border-color:${colour(i)}` }), p.name, ' ', el('small', {}, p.parts)), ...cells(p, i)))))),
    el('p', {}, t('slownote')));
}

// ---- over time ----
function ticks(low, high, count) {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((x) => x * power).find((x) => x >= rough);
  const all = [];
  for (let x = Math.ceil(low / step) * step; x <= high + step / 1e6; x += step) all.push(x);
  return all;
}
function timeTicks(low, high, count) {
  const steps = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 604800, 1209600, 1814400, 2592000, 5184000, 7776000, 15552000, 31536000];
  const step = steps.find((s) => (high - low) / s <= count) || 31536000;
  const shift = D.dated ? (D.t0 / 1000) % step : 0, all = [];
  for (let x = Math.ceil((low + shift) / step) * step - shift; x <= high; x += step) all.push(x);
  return { all, fine: step < 86400 };
}
function course() {
  const end = Math.max(...P.map((p) => p.course.each * p.course.used.length), 1e-3);
  const box = el('div');
  const draw = () => {
    const kind = state.course, width = Math.max(320, Math.min(1140, (document.querySelector('main').clientWidth || 1140) - 44));
    const height = width < 600 ? 220 : 280, left = 52, right = 10, top = 18, bottom = 26;
    const values = (p) => p.course[kind];
    const high = kind === 'used' ? D.gpus : Math.max(1, ...P.filter((_, i) => shown.has(i)).flatMap((p) => values(p)));
    const x = (s) => left + s / end * (width - left - right), y = (v) => height - bottom - v / high * (height - top - bottom);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', tabindex: '0', 'aria-label': t(kind === 'used' ? 'utilt' : kind === 'waiting' ? 'waitt' : 'askt') });
    for (const v of ticks(0, high, 4)) picture.append(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(v), y2: y(v) }), svg('text', { x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, num(+v.toFixed(2))));
    if (kind === 'used') picture.append(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(high), y2: y(high), 'stroke-dasharray': '2 3' }), svg('text', { class: 'name', x: width - right, y: y(high) - 4, 'text-anchor': 'end' }, num(high) + ' GPU'));
    const axis = timeTicks(0, end, width < 600 ? 4 : 7);
    for (const s of axis.all) picture.append(svg('line', { class: 'grid', x1: x(s), x2: x(s), y1: height - bottom, y2: height - bottom + 4 }), svg('text', { x: Math.min(Math.max(x(s), left + 24), width - right - 30), y: height - 6, 'text-anchor': 'middle' }, when(s, axis.fine)));
    P.forEach((p, i) => {
      if (!shown.has(i)) return;
      let d = '';
      values(p).forEach((v, k) => { d += `${k ? 'L' : 'M'}${x(p.course.each * k).toFixed(1)} ${y(v).toFixed(1)}L${x(Math.min(end, p.course.each * (k + 1))).toFixed(1)} ${y(v).toFixed(1)}`; });
      picture.append(svg('path', { d, fill: 'none', stroke: colour(i), 'stroke-width': 1.6, 'stroke-dasharray': dash(i), 'stroke-linejoin': 'round' }));
    });
    const cursor = svg('line', { y1: top, y2: height - bottom, stroke: 'currentColor', 'stroke-width': 1, visibility: 'hidden' });
    picture.append(cursor);
    const readout = el('p', { class: 'readout', 'aria-live': 'polite' });
    let at = 0;
    const read = (s) => {
      at = Math.min(end, Math.max(0, s));
      cursor.setAttribute('x1', x(at)); cursor.setAttribute('x2', x(at)); cursor.setAttribute('visibility', 'visible');
      readout.replaceChildren(when(at, true) + '　', ...P.flatMap((p, i) => {
        if (!shown.has(i)) return [];
        const v = values(p)[Math.floor(at / p.course.each)];
        return [`${p.name} `, el('b', {}, v === undefined ? '–' : num(+v.toFixed(1)) + (kind === 'used' ? ` (${pct(v / D.gpus)})` : '')), '　'];
      }));
    };
    picture.addEventListener('pointermove', (e) => { const r = picture.getBoundingClientRect(); read(((e.clientX - r.left) * width / r.width - left) / (width - left - right) * end); });
    picture.addEventListener('keydown', (e) => { const step = end / 100; if (e.key === 'ArrowLeft') read(at - step); else if (e.key === 'ArrowRight') read(at + step); else return; e.preventDefault(); });
    const kinds = el('div', { class: 'tools', role: 'group' }, ...[['used', 'utilt'], ['waiting', 'waitt'], ['asked', 'askt']].map(([k, word]) => el('button', { type: 'button', 'aria-pressed': String(k === kind), onclick: () => { state.course = k; draw(); } }, t(word))));
    box.replaceChildren(kinds, legend(draw), picture, readout);
  };
  later.push(draw);
  return section('course', t('course'), el('p', {}, t('coursenote', { d: dur(P[0].course.each) })), box);
}

// ---- waits ----
const logScale = (max) => { const top = Math.log10(Math.max(10, max)) + 1; return (s) => (s < 1 ? s : 1 + Math.log10(s)) / top; };
const waitTicks = [0, 1, 10, 60, 600, 3600, 21600, 86400, 604800, 2592000];
function strips(kind, title) {
  const rows = D[kind].map((name, r) => ({ name: name === null ? t('others') : name, all: P.map((p) => p[kind][r]) })).filter((row) => row.all.some((q) => q.n > 0));
  const max = Math.max(...rows.flatMap((row) => row.all.map((q) => q.q[4])), 60);
  const box = el('div');
  const draw = () => {
    const width = Math.max(300, Math.min(1140, (document.querySelector('main').clientWidth || 1140) - 44)), narrow = width < 600;
    const left = narrow ? 84 : 190, right = 14, each = 13, list = [...shown].sort((a, b) => a - b), rowHeight = list.length * each + 16, top = 22;
    const height = top + rows.length * rowHeight + 8, scale = logScale(max), x = (s) => left + scale(Math.max(0, s)) * (width - left - right);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title });
    let last = -99;
    for (const s of waitTicks.filter((s) => s <= max * 1.02)) {
      picture.append(svg('line', { class: 'grid', x1: x(s), x2: x(s), y1: top - 4, y2: height }));
      if (x(s) - last > 40) { picture.append(svg('text', { x: x(s), y: 12, 'text-anchor': 'middle' }, s ? dur(s).replace('.0', '') : '0')); last = x(s); }
    }
    rows.forEach((row, r) => {
      const y0 = top + r * rowHeight, most = Math.max(...row.all.map((q) => q.n));
      const label = svg('text', { class: 'name', x: 0, y: y0 + 14 }, narrow && row.name.length > 11 ? row.name.slice(0, 10) + '…' : row.name.length > 26 ? row.name.slice(0, 25) + '…' : row.name);
      label.append(svg('title', {}, row.name));
      picture.append(label);
      if (rowHeight > 26) picture.append(svg('text', { x: 0, y: y0 + 28 }, t('njobs', { n: num(most) })));
      else picture.append(svg('text', { x: left - 8, y: y0 + 14, 'text-anchor': 'end' }, num(most)));
      list.forEach((i, k) => {
        const { n, q, mean } = row.all[i], y = y0 + 8 + k * each + 3;
        if (!n) return;
        const g = svg('g', { stroke: colour(i), fill: colour(i) });
        g.append(svg('title', {}, `${P[i].name}: P5 ${dur(q[0])}, P25 ${dur(q[1])}, P50 ${dur(q[2])}, P75 ${dur(q[3])}, P95 ${dur(q[4])}; ${t('mean')} ${dur(mean)}`),
          svg('line', { x1: x(q[0]), x2: Math.max(x(q[4]), x(q[0]) + 1), y1: y, y2: y, 'stroke-width': 2 }),
          svg('rect', { x: x(q[1]), y: y - 4, width: Math.max(x(q[3]) - x(q[1]), 2), height: 8, 'fill-opacity': .35, 'stroke-width': 1 }),
          svg('line', { x1: x(q[2]), x2: x(q[2]), y1: y - 5, y2: y + 5, 'stroke-width': 3 }),
          svg('path', { d: `M${x(mean)} ${y - 5}l5 5l-5 5l-5-5z`, fill: 'var(--panel)', 'stroke-width': 2 }));
        picture.append(g);
      });
    });
    box.replaceChildren(picture);
  };
  later.push(draw);
  const head = ['', ...P.flatMap((p) => [`${p.name} ${t('mean')}`, `${p.name} P50`, `${p.name} P95`])];
  const table = el('details', {}, el('summary', {}, t('tbl')), el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, ...head.map((h) => el('th', { scope: 'col' }, h)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {}, el('td', {}, row.name), ...row.all.flatMap((q) => [q.mean, q.q[2], q.q[4]].map((v) => el('td', {}, q.n ? dur(v) : '–')))))))));
  return [el('h3', {}, title), box, table, draw];
}
function waits() {
  const sizes = strips('sizes', t('bysize')), owners = strips('owners', t('byowner', { n: D.owners.filter((o) => o !== null).length }));
  const key = el('div');
  const redraw = () => { key.replaceChildren(legend(redraw)); sizes[3](); owners[3](); };
  later.push(redraw);
  return section('waits', t('waits'), el('p', {}, t('waitnote')), key, ...sizes.slice(0, 3), ...owners.slice(0, 3));
}

// ---- gains and losses ----
function pair(a, b) {
  const found = D.pairs.find((p) => p.a === a && p.b === b);
  if (found) return found;
  const other = D.pairs.find((p) => p.a === b && p.b === a);
  if (!other) return null;
  const turn = (q) => ({ better: q.worse, same: q.same, worse: q.better, mean: -q.mean });
  return { ...turn(other), a, b, sizes: other.sizes.map(turn), owners: other.owners.map(turn), gain: other.lose.map((j) => ({ ...j, a: j.b, b: j.a })), lose: other.gain.map((j) => ({ ...j, a: j.b, b: j.a })) };
}
function gains() {
  if (whole.length < 2) return section('gains', t('gains'), el('p', {}, t(P.length < 2 ? 'onepol' : 'onewhole')));
  const box = el('div');
  const draw = () => {
    const both = pair(state.base, state.to);
    const choose = (label, key, from) => {
      const s = el('select', { onchange: (e) => { state[key] = +e.target.value; fix(key); draw(); } }, ...whole.map((i) => el('option', { value: i }, P[i].name)));
      s.value = state[key];
      return el('label', {}, label, s);
    };
    const tools = el('div', { class: 'tools' }, choose(t('from'), 'base'), choose(t('to'), 'to'));
    if (!both) return box.replaceChildren(tools);
    const n = both.better + both.same + both.worse || 1;
    const part = (k, word) => el('span', { class: k, style: `flex:${Math.max(both[word], n / 500)} 0 0`, title: `${t(word)}: ${num(both[word])}` }, both[word] / n > .12 ? `${t(word)} ${pct(both[word] / n)}` : '');
    const bar = el('div', { class: 'split', role: 'img', 'aria-label': ['better', 'same', 'worse'].map((w) => `${t(w)} ${pct(both[w] / n)}`).join(', ') }, part('b', 'better'), part('s', 'same'), part('w', 'worse'));
    const diverging = (rows, names, title) => {
      const list = rows.map((r, i) => ({ ...r, name: names[i] === null ? t('others') : names[i] })).filter((r) => r.better + r.same + r.worse > 0);
      const most = Math.max(...list.map((r) => Math.abs(r.mean)), 1), f = (v) => Math.sign(v) * Math.log10(1 + Math.abs(v)) / Math.log10(1 + most);
      const width = 540, left = 110, mid = left + (width - left) / 2, half = (width - left) / 2 - 70, row = 22;
      const picture = svg('svg', { viewBox: `0 0 ${width} ${list.length * row + 4}`, role: 'img', 'aria-label': title });
      picture.append(svg('line', { class: 'grid', x1: mid, x2: mid, y1: 0, y2: list.length * row }));
      list.forEach((r, i) => {
        const y = i * row + 4, w = f(r.mean) * half, good = r.mean < 0;
        const name = svg('text', { class: 'name', x: 0, y: y + 12 }, r.name.length > 15 ? r.name.slice(0, 14) + '…' : r.name);
        name.append(svg('title', {}, `${r.name}: ${t('better')} ${num(r.better)}, ${t('same')} ${num(r.same)}, ${t('worse')} ${num(r.worse)}`));
        picture.append(name, svg('rect', { x: Math.min(mid, mid + w), y, width: Math.max(Math.abs(w), 1), height: 14, rx: 2, fill: good ? 'var(--good)' : 'var(--bad)' }),
          svg('text', { x: mid + w + (good ? -6 : 6), y: y + 12, 'text-anchor': good ? 'end' : 'start' }, (r.mean > 0 ? '+' : '') + dur(r.mean)));
      });
      return el('div', {}, el('h3', {}, title), picture);
    };
    const jobs = (list, title) => el('div', {}, el('h3', {}, title), list.length === 0 ? el('p', {}, t('none')) : el('div', { class: 'scroll' }, el('table', {},
      el('thead', {}, el('tr', {}, ...[t('job'), t('owner'), t('size'), t('wa', { p: P[state.base].name }), t('wa', { p: P[state.to].name })].map((h) => el('th', { scope: 'col' }, h)))),
      el('tbody', {}, ...list.map((j) => el('tr', {}, el('td', {}, String(j.id)), el('td', {}, j.owner), el('td', {}, num(j.gpus)), el('td', {}, dur(j.a)), el('td', {}, dur(j.b))))))));
    box.replaceChildren(tools, bar, el('p', { class: 'readout' }, t('meand') + ' ', el('b', {}, (both.mean > 0 ? '+' : '') + dur(both.mean))),
      el('div', { class: 'two' }, diverging(both.sizes, D.sizes, t('bysize')), diverging(both.owners, D.owners, t('byowner', { n: D.owners.filter((o) => o !== null).length })), jobs(both.gain, t('mostg')), jobs(both.lose, t('mostl'))));
  };
  const fix = (changed) => { if (!pair(state.base, state.to) && state.base !== state.to) { if (changed === 'to') state.base = whole[0]; else state.to = whole[0]; } };
  later.push(draw);
  return section('gains', t('gains'), el('p', {}, t('gainnote')), box);
}

// ---- Gantt ----
function gantt() {
  const note = el('p', { class: 'readout' }), readout = el('p', { class: 'readout', 'aria-live': 'polite' });
  const canvas = el('canvas', { tabindex: '0', role: 'img', 'aria-label': t('gantt') });
  const view = state.view || (state.view = { x: 0, y: 0, w: D.horizon, h: D.gpus });
  const shades = new Map();
  const heat = (i) => {
    if (shades.has(i)) return shades.get(i);
    const g = P[i].gantt, bytes = Uint8Array.from(atob(g.heat), (c) => c.charCodeAt(0));
    const sheet = document.createElement('canvas');
    sheet.width = g.columns; sheet.height = g.rows;
    const ink = css('--c0').match(/[0-9a-f]{2}/gi).map((h) => parseInt(h, 16)), context = sheet.getContext('2d'), image = context.createImageData(g.columns, g.rows);
    bytes.forEach((v, k) => image.data.set([...ink, v * .55], 4 * k));
    context.putImageData(image, 0, 0);
    shades.set(i, sheet);
    return sheet;
  };
  const clamp = () => {
    view.w = Math.min(D.horizon, Math.max(view.w, D.horizon / 1e5, 10 / (D.unit / 1000)));
    view.h = Math.min(D.gpus, Math.max(view.h, Math.min(4, D.gpus)));
    view.x = Math.min(D.horizon - view.w, Math.max(0, view.x));
    view.y = Math.min(D.gpus - view.h, Math.max(0, view.y));
  };
  const left = 66, bottom = 24;
  let width = 0, height = 0;
  const draw = () => {
    clamp();
    const ratio = window.devicePixelRatio || 1;
    width = canvas.clientWidth || 800; height = width < 600 ? 360 : 520;
    canvas.style.height = height + 'px';
    canvas.width = width * ratio; canvas.height = height * ratio;
    const c = canvas.getContext('2d'), g = P[state.gantt].gantt, W2 = width - left, H = height - bottom;
    c.scale(ratio, ratio);
    c.fillStyle = css('--panel'); c.fillRect(0, 0, width, height);
    const x = (s) => left + (s - view.x) / view.w * W2, y = (v) => (v - view.y) / view.h * H;
    c.save(); c.beginPath(); c.rect(left, 0, W2, H); c.clip();
    c.imageSmoothingEnabled = false;
    if (g.rows) c.drawImage(heat(state.gantt), x(0), y(0), D.horizon / view.w * W2, D.gpus / view.h * H);
    const colours = [...Array(8).keys()].map((i) => css('--c' + i)), rest = css('--quiet'), edge = css('--panel');
    const r = g.rects;
    for (let i = 0; i < r.t.length; ++i) {
      const x0 = x(r.t[i]), x1 = x(r.t[i] + r.d[i]), y0 = y(r.y[i] / 1000), y1 = y((r.y[i] + r.h[i]) / 1000);
      if (x1 < left || x0 > width || y1 < 0 || y0 > H) continue;
      c.fillStyle = r.o[i] < 0 ? rest : colours[r.o[i] % 8];
      c.globalAlpha = r.o[i] >= 8 ? .6 : .9;
      c.fillRect(x0, y0, Math.max(x1 - x0, .7), Math.max(y1 - y0, .7));
      c.globalAlpha = 1;
      if (x1 - x0 > 4 && y1 - y0 > 3) { c.strokeStyle = edge; c.lineWidth = .8; c.strokeRect(x0, y0, x1 - x0, y1 - y0); }
      if (x1 - x0 > 44 && y1 - y0 > 13) { c.fillStyle = edge; c.font = '11px system-ui'; c.fillText('#' + r.j[i], Math.max(x0, left) + 4, y0 + Math.min(12, y1 - y0 - 3), x1 - x0 - 6); }
    }
    c.restore();
    c.fillStyle = css('--quiet'); c.strokeStyle = css('--line'); c.font = '12px system-ui'; c.lineWidth = 1;
    const from = secs(view.x), to = secs(view.x + view.w), axis = timeTicks(from, to, width < 600 ? 3 : 6);
    for (const s of axis.all) { const p = x(s / (D.unit / 1000)); c.beginPath(); c.moveTo(p, H); c.lineTo(p, H + 5); c.stroke(); c.textAlign = 'center'; c.fillText(when(s, axis.fine), Math.min(Math.max(p, left + 34), width - 48), height - 6); }
    c.textAlign = 'right';
    let lastY = -99;
    for (const n of nodesIn(view.y, view.y + view.h)) {
      const p = y(n.y);
      if (p >= -1 && view.h < D.gpus / 2 || n.first) { c.beginPath(); c.moveTo(left - 5, p); c.lineTo(view.h < 200 ? width : left, p); c.stroke(); }
      if (Math.max(p, 0) - lastY < 15) continue;
      lastY = Math.max(p, 0);
      c.fillText(n.name.length > 9 ? '…' + n.name.slice(-7) : n.name, left - 8, lastY + 11);
    }
    const all = g.shown === g.pieces;
    note.textContent = (all ? t('drawnall') : t('drawn', { n: num(g.shown), m: num(g.pieces), p: pct(g.share) })) + (D.lanes ? ' ' + t('lanes') : '');
  };
  const nodesIn = function* (low, high) {
    let y = 0;
    for (const pool of D.pools) {
      if (!pool.nodes.length) {
        const step = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, view.h / 4))));
        for (let k = Math.floor(Math.max(0, low - y) / step) * step; k < pool.gpus && y + k <= high; k += step) yield { y: y + k, name: 'GPU ' + num(k), first: k === 0 };
      } else {
        for (let k = Math.max(0, Math.floor((low - y) / pool.each)); k < pool.nodes.length && y + k * pool.each <= high; ++k) yield { y: y + k * pool.each, name: pool.nodes[k], first: k === 0 };
      }
      y += pool.gpus;
    }
  };
  const zoom = (fx, fy, px = .5, py = .5) => {
    view.x += view.w * px * (1 - fx); view.w *= fx;
    view.y += view.h * py * (1 - fy); view.h *= fy;
    draw();
  };
  const at = (e) => { const r = canvas.getBoundingClientRect(); return [(e.clientX - r.left - left) / (width - left), (e.clientY - r.top) / (height - bottom)]; };
  canvas.addEventListener('wheel', (e) => { e.preventDefault(); const [px, py] = at(e), f = Math.exp((e.deltaY || e.deltaX) * .0015); e.shiftKey ? zoom(1, f, px, py) : zoom(f, 1, px, py); }, { passive: false });
  let drag = null;
  canvas.addEventListener('pointerdown', (e) => { canvas.setPointerCapture(e.pointerId); drag = [e.clientX, e.clientY, view.x, view.y]; });
  canvas.addEventListener('pointerup', () => { drag = null; });
  canvas.addEventListener('pointermove', (e) => {
    if (drag) { view.x = drag[2] - (e.clientX - drag[0]) / (width - left) * view.w; view.y = drag[3] - (e.clientY - drag[1]) / (height - bottom) * view.h; return draw(); }
    const [px, py] = at(e), s = view.x + px * view.w, v = (view.y + py * view.h) * 1000, r = P[state.gantt].gantt.rects;
    if (px < 0) return;
    let hit = -1;
    for (let i = r.t.length - 1; i >= 0; --i) if (s >= r.t[i] && s <= r.t[i] + r.d[i] && v >= r.y[i] && v < r.y[i] + r.h[i]) { hit = i; break; }
    const node = [...nodesIn(v / 1000, v / 1000)][0];
    readout.replaceChildren(when(secs(s), true) + '　' + (node ? node.name : '') + '　', ...(hit < 0 ? [] : [el('b', {}, `#${r.j[hit]}`), `　${t('by')} ${r.o[hit] < 0 ? t('others') : D.owners[r.o[hit]]}　${num(r.g[hit] / 1000)} GPU　${t('waited')} ${dur(secs(r.w[hit]))}　${t('ran')} ${dur(secs(r.d[hit]))}`]));
  });
  canvas.addEventListener('keydown', (e) => {
    const moves = { ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, -.1], ArrowDown: [0, .1] };
    if (moves[e.key]) { view.x += moves[e.key][0] * view.w; view.y += moves[e.key][1] * view.h; draw(); }
    else if (e.key === '+' || e.key === '=' || e.key === ';') zoom(.7, 1);
    else if (e.key === '-') zoom(1 / .7, 1);
    else if (e.key === ']') zoom(1, .7);
    else if (e.key === '[') zoom(1, 1 / .7);
    else if (e.key === '0') { Object.assign(view, { x: 0, y: 0, w: D.horizon, h: D.gpus }); draw(); }
    else return;
    e.preventDefault();
  });
  const choose = el('select', { onchange: (e) => { state.gantt = +e.target.value; draw(); } }, ...P.map((p, i) => el('option', { value: i }, p.name)));
  choose.value = state.gantt;
  const button = (word, action) => el('button', { type: 'button', onclick: action }, t(word));
  later.push(draw);
  return section('gantt', t('gantt'), el('p', {}, t('gnote')),
    el('div', { class: 'tools' }, el('label', {}, t('policy'), choose), button('zin', () => zoom(.6, 1)), button('zout', () => zoom(1 / .6, 1)), button('tall', () => zoom(1, .6)), button('flat', () => zoom(1, 1 / .6)),
      button('all', () => { Object.assign(view, { x: 0, y: 0, w: D.horizon, h: D.gpus }); draw(); })),
    canvas, readout, note);
}

// ---- the page ----
let later = [];
function render() {
  later = [];
  document.documentElement.lang = lang;
  document.title = 'Tenbin — ' + D.title;
  const h1 = document.querySelector('h1'), sub = document.querySelector('header p'), nav = document.querySelector('nav'), main = document.querySelector('main'), footer = document.querySelector('footer');
  h1.textContent = D.title;
  sub.textContent = t('sub', { jobs: num(D.jobs), gpus: num(D.gpus), pools: D.pools.length > 1 ? t('pools', { n: D.pools.length }) : '', span: dur(secs(D.horizon)) });
  nav.replaceChildren(el('button', { type: 'button', lang: lang === 'ja' ? 'en' : 'ja', onclick: () => { lang = lang === 'ja' ? 'en' : 'ja'; history.replaceState(null, '', '#' + lang); render(); } }, t('other')));
  const any = P.some((p) => p.started > 0);
  const notes = [t('a1'), t('a2')];
  if (D.left > 0) notes.push(t('left', { n: num(D.left) }));
  if (!D.limits) notes.push(t('lim'));
  if (D.atlimit > 0) notes.push(t('atl', { n: num(D.atlimit) }));
  main.replaceChildren(summary(), ...(any ? [course(), waits(), gains(), gantt()] : [section('empty', t('course'), el('p', {}, t('hide')))]),
    section('about', t('about'), el('ul', {}, ...notes.map((n) => el('li', {}, n)))));
  footer.textContent = D.made;
  for (const draw of later) draw();
}
let waiting = 0, lastWidth = window.innerWidth;
window.addEventListener('resize', () => { if (window.innerWidth === lastWidth) return; lastWidth = window.innerWidth; clearTimeout(waiting); waiting = setTimeout(render, 150); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', render);
render();
