// How the page looks: one style sheet, light and dark by the visitor's own setting.

export const style = `
:root{--bg:#f6f7f9;--card:#fff;--text:#101828;--soft:#5b6472;--line:#e3e6eb;--accent:#0f766e;--on-accent:#fff;--star:#1f2937;--red:#dc2626;--v1:#64748b;--v2:#1f2937;--v3:#dc2626;--bad:#b45309;--shadow:0 1px 2px #1018280d,0 8px 24px #1018280f}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#161b22;--text:#e8ecf2;--soft:#9aa5b4;--line:#2a313c;--accent:#2dd4bf;--on-accent:#06201d;--star:#e8ecf2;--red:#f87171;--v1:#94a3b8;--v2:#f1f5f9;--v3:#f87171;--bad:#fbbf24;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{display:flex;flex-wrap:wrap;gap:12px;justify-content:space-between;align-items:center;padding:14px clamp(16px,4vw,40px);border-bottom:1px solid var(--line);background:var(--card);position:sticky;top:0;z-index:1}
.brand{display:flex;gap:10px;align-items:center;font-weight:700;font-size:18px;color:inherit;text-decoration:none}
header form{display:flex;gap:8px;align-items:center}
input{font:inherit;width:9em;padding:6px 12px;border:1px solid var(--line);border-radius:8px;background:var(--bg);color:inherit}
button{font:inherit;font-weight:600;padding:6px 14px;border:0;border-radius:8px;background:var(--accent);color:var(--on-accent);cursor:pointer}
button.quiet{background:transparent;color:var(--text);border:1px solid var(--line)}
button[aria-pressed=true]{border-color:var(--accent);color:var(--accent)}
:is(a,button,input):focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.avatar{width:32px;height:32px;border-radius:50%;display:grid;place-items:center;background:var(--accent);color:var(--on-accent);font-weight:700}
main{max-width:980px;margin:0 auto;padding:clamp(20px,4vw,40px) 16px;display:grid;gap:24px}
section{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:clamp(18px,3vw,28px);box-shadow:var(--shadow)}
.hero{display:grid;grid-template-columns:190px 1fr;gap:clamp(20px,4vw,36px)}
.cover{aspect-ratio:2/3;border-radius:6px 12px 12px 6px;background:linear-gradient(150deg,#115e59,#134e4a 55%,#0b2f2c);color:#fef3c7;padding:22px 18px 18px 26px;display:flex;flex-direction:column;justify-content:space-between;box-shadow:inset 10px 0 0 #0003,0 12px 30px #0003;font-family:Georgia,serif;font-size:22px;line-height:1.25;align-self:start}
.cover i{font-size:13px;opacity:.85}
.eyebrow{margin:0;color:var(--accent);font-weight:600;font-size:13px;letter-spacing:.06em;text-transform:uppercase}
h1{margin:2px 0 10px;font:700 clamp(28px,5vw,40px)/1.15 Georgia,serif}
h2{margin:0;font-size:18px}
.lead{color:var(--soft);margin:0 0 18px}
a{color:var(--accent)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:12px;margin:0}
dl div{border-top:1px solid var(--line);padding-top:8px}
dt{color:var(--soft);font-size:12px;text-transform:capitalize}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.title{display:flex;flex-wrap:wrap;gap:10px;justify-content:space-between;align-items:center;margin-bottom:14px}
.controls{display:flex;gap:8px;align-items:center}
#share{color:var(--soft);font-size:14px;font-variant-numeric:tabular-nums}
#history{list-style:none;margin:0;padding:0;display:flex;gap:4px;flex-wrap:wrap;min-height:30px}
#history li{min-width:30px;height:30px;border-radius:8px;display:grid;place-items:center;font-size:12px;font-weight:700;color:var(--card);background:var(--bad)}
#history li.v1{background:var(--v1)}#history li.v2{background:var(--v2)}#history li.v3{background:var(--v3)}
.badge{font-size:13px;font-weight:600;border:1px solid var(--line);border-radius:99px;padding:2px 12px}
.badge::before{content:"";display:inline-block;width:8px;height:8px;border-radius:50%;margin-right:8px;background:var(--bad)}
.badge.v1::before{background:var(--v1)}.badge.v2::before{background:var(--v2)}.badge.v3::before{background:var(--v3)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:16px}
blockquote{margin:0;padding:18px;border:1px solid var(--line);border-radius:12px;display:flex;flex-direction:column;justify-content:space-between;gap:12px}
blockquote p{margin:0;font-family:Georgia,serif;font-size:17px}
blockquote footer{display:flex;justify-content:space-between;gap:10px;align-items:center;padding:0;text-align:left}
cite{font-style:normal;color:var(--soft);font-size:14px}
.stars{letter-spacing:2px;font-size:19px;line-height:1;color:var(--star)}.stars.red{color:var(--red)}
.missing,.alert{color:var(--bad);font-size:14px}
.alert{border:1px solid currentColor;border-radius:12px;padding:14px 16px;font-size:15px}
.path{list-style:none;margin:0;padding:0;display:grid;gap:8px;font-size:14px}
.path li{display:flex;flex-wrap:wrap;gap:8px;align-items:baseline}
.path span,.hint,.path em{color:var(--soft)}
.hint{font-size:13px;margin:12px 0 0}
code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--bg);border-radius:6px;padding:2px 8px;overflow-wrap:anywhere}
body>footer{color:var(--soft);text-align:center;font-size:14px;padding:0 16px 32px}
@media (max-width:640px){.hero{grid-template-columns:1fr}.cover{width:150px}}
`
