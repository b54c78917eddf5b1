/// How a report looks, in the light and in the dark.
let reportStyle: StaticString = """
    :root {
      --page: #f5f6f8; --card: #ffffff; --ink: #16191d; --soft: #5c6672; --rule: #e4e7eb;
      --grid: #e9ecef; --good: #14713a; --good-back: #dcf3e4; --bad: #b3261e; --bad-back: #fbe3e1;
      --neutral: #4a5461; --neutral-back: #e6e9ed;
      --c0: #6a7583; --c1: #2f6fde; --c2: #b75512; --c3: #8552c9; --c4: #0f8069; --c5: #946a04;
      --c6: #c23f7d; --c7: #c43d33; --on: #ffffff;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #101317; --card: #181c22; --ink: #e8ebef; --soft: #9aa5b2; --rule: #2a3038;
        --grid: #262c34; --good: #63d18f; --good-back: #12321f; --bad: #ff8a80;
        --bad-back: #3b1815; --neutral: #b4bec9; --neutral-back: #262c34;
        --c0: #7f8b99; --c1: #6ea1ff; --c2: #f0985a; --c3: #b48df0; --c4: #45c4aa; --c5: #dcb043;
        --c6: #ee86b7; --c7: #f57b70; --on: #101317;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
      font-variant-numeric: tabular-nums;
    }
    main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
    header { margin-bottom: 28px; }
    h1 { margin: 10px 0 4px; font-size: 28px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
    section > h2 { margin: 40px 0 12px; font-size: 18px; font-weight: 650; }
    h3 { margin: 0; font-size: 15px; font-weight: 600; }
    .sub { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
    .badge {
      display: inline-block; margin: 0; padding: 2px 12px; border-radius: 99px; font-size: 13px;
      font-weight: 600;
    }
    .badge.good { color: var(--good); background: var(--good-back); }
    .badge.bad { color: var(--bad); background: var(--bad-back); }
    .badge.neutral { color: var(--neutral); background: var(--neutral-back); }
    .card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 20px; }
    .wide { overflow-x: auto; }
    .errors { border-color: var(--bad); margin-bottom: 20px; }
    .errors h2 { margin: 0 0 4px; font-size: 15px; color: var(--bad); }
    .errors p { margin: 4px 0; overflow-wrap: anywhere; }
    .tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); }
    .tile {
      background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
      padding: 14px 16px;
    }
    .tile h2 { margin: 0; font-size: 13px; font-weight: 500; color: var(--soft); }
    .tile .value { margin: 2px 0 0; white-space: nowrap; font-size: 23px; font-weight: 650; letter-spacing: -0.01em; }
    .tile .note { margin: 0; font-size: 12.5px; color: var(--soft); min-height: 1.5em; }
    figure { margin: 26px 0 0; }
    figcaption { display: grid; grid-template-columns: 1fr auto; column-gap: 16px; margin-bottom: 6px; }
    figcaption p { grid-row: 2; margin: 0; font-size: 13px; color: var(--soft); }
    .legend {
      grid-row: 1 / 3; grid-column: 2; align-self: end; display: flex; gap: 16px; margin: 0;
      padding: 0; list-style: none; font-size: 13px;
    }
    .swatch { display: inline-block; width: 11px; height: 11px; margin-right: 7px; border-radius: 3px; background: var(--color); }
    .none { margin: 8px 0; color: var(--soft); font-size: 13px; }
    .c0 { --color: var(--c0); } .c1 { --color: var(--c1); } .c2 { --color: var(--c2); }
    .c3 { --color: var(--c3); } .c4 { --color: var(--c4); } .c5 { --color: var(--c5); }
    .c6 { --color: var(--c6); } .c7 { --color: var(--c7); }
    svg { display: block; width: 100%; height: auto; overflow: visible; }
    svg text { font-size: 12px; fill: var(--soft); }
    .tick, .row-name { text-anchor: end; }
    .time { text-anchor: middle; }
    .grid { stroke: var(--grid); }
    .axis { stroke: var(--c0); }
    .round { stroke: var(--rule); stroke-dasharray: 2 3; }
    .pause { stroke: var(--c7); stroke-width: 1.5; }
    .threshold { stroke: var(--soft); stroke-dasharray: 6 4; }
    .line { fill: none; stroke: var(--color); stroke-width: 2; stroke-linejoin: round; }
    .area { fill: var(--color); opacity: 0.13; }
    rect { fill: var(--color); }
    .step text, .row g text { fill: var(--on); text-anchor: middle; font-weight: 550; }
    .row .row-name { fill: var(--ink); }
    .look-up { opacity: 0; }
    .look-up:hover { opacity: 1; }
    .look-up rect { fill: transparent; }
    .look-up line { stroke: var(--soft); }
    .look-up circle { fill: var(--color); stroke: var(--card); stroke-width: 2; }
    .look-up text { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 5px; }
    .of-right { text-anchor: end; }
    table { width: 100%; border-collapse: collapse; font-size: 14px; }
    caption { padding: 14px 0 4px; text-align: left; font-size: 13px; color: var(--soft); }
    th, td { padding: 6px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
    thead th { font-size: 13px; font-weight: 500; color: var(--soft); }
    th[scope="row"] { text-align: left; font-weight: 500; }
    td.words { width: 100%; text-align: left; white-space: normal; overflow-wrap: anywhere; color: var(--soft); }
    .settings td.words { color: var(--ink); }
    tbody tr:last-child > * { border-bottom: 0; }
    .total > * { font-weight: 650; }
    footer { margin-top: 32px; font-size: 13px; color: var(--soft); }
    footer p { margin: 0; }
    @media print { body { background: none; } .card, .tile { break-inside: avoid; } }
    """
