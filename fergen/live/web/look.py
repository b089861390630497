"""How the page looks: ink on paper, one blue; the system's own fonts, so that nothing is fetched; light and dark."""

from typing import Any

from fergen.show import style

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace")

CSS = f"""
:root {{ --fg-blue: {style.BLUE}; --fg-rust: {style.RUST}; --fg-rule: {style.HAIRLINE}; --fg-soft: #f4f6f8; }}
.dark {{ --fg-blue: #85a8ca; --fg-rust: #e08a72; --fg-rule: #333b44; --fg-soft: #1b2027; --color-accent: #85a8ca; }}
.gradio-container {{ max-width: 1080px !important; margin: 0 auto !important; }}
footer {{ display: none !important; }}
.gradio-container .html-container {{ padding: 0 !important; }}
.fg-head h1 {{ font-size: 1.6rem; font-weight: 650; margin: .4rem 0 0; letter-spacing: -.01em; }}
.fg-head p {{ margin: .1rem 0 .8rem !important; color: var(--body-text-color-subdued); }}
.fg-limits {{ border-left: 3px solid var(--fg-blue); background: var(--fg-soft); padding: .6rem .9rem; }}
.fg-limits p {{ margin: .1rem 0; font-size: .92rem; line-height: 1.45; }}
.fg-hint {{ color: var(--body-text-color-subdued); margin: .3rem 0; line-height: 1.5; }}
.fg-notice {{ border-left: 3px solid var(--fg-rust); background: var(--fg-soft); padding: .6rem .9rem; margin: .3rem 0;
  overflow-wrap: anywhere; }}
.fg-photo {{ max-width: 100%; max-height: 340px; border-radius: 4px; display: block; margin-bottom: .8rem; }}
.fg-cards {{ display: grid; gap: .8rem; }}
.fg-card {{ border: 1px solid var(--fg-rule); border-radius: 6px; padding: .7rem .9rem; }}
.fg-card h3, .fg-edit h3, .fg-about h3 {{ font-size: 1rem; font-weight: 650; margin: 0 0 .5rem; }}
.fg-card h3.fg-unsure {{ color: var(--body-text-color-subdued); }}
.fg-about h3 {{ margin-top: 1.2rem; }}
.fg-about p, .fg-about li {{ line-height: 1.55; max-width: 44rem; }}
.fg-about ul {{ list-style: disc; padding-left: 1.2rem; }}
.fg-body {{ display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; align-items: flex-start; }}
.fg-figures {{ display: flex; flex-wrap: wrap; gap: .6rem; }}
.fg-figures figure {{ margin: 0; }}
.fg-figures figcaption {{ font-size: .78rem; color: var(--body-text-color-subdued); margin-top: .15rem; }}
.fg-crop {{ width: 112px; height: 112px; border-radius: 4px; display: block; }}
.fg-bars {{ list-style: none; margin: 0; padding: 0; flex: 1 1 14rem; min-width: 12rem; }}
.fg-read .fg-bars li {{ display: grid; grid-template-columns: 4.9rem 1fr 3rem; gap: .5rem; align-items: center;
  margin: 0; font-size: .86rem; line-height: 1.5; color: var(--body-text-color-subdued); }}
.fg-bars li span:last-child {{ text-align: right; font-variant-numeric: tabular-nums; }}
.fg-bars i {{ display: block; height: 9px; background: var(--fg-rule); border-radius: 2px; overflow: hidden; }}
.fg-bars b {{ display: block; height: 100%; background: var(--fg-blue); opacity: .45; }}
.fg-read .fg-bars .fg-best {{ color: var(--body-text-color); font-weight: 650; }}
.fg-bars .fg-best b {{ opacity: 1; }}
.fg-grid {{ display: grid; gap: 4px; overflow-x: auto; }}
.fg-row {{ display: grid; grid-template-columns: 5rem minmax(0, 1fr); align-items: center; gap: .5rem;
  font-size: .86rem; }}
.fg-row > div {{ display: grid; grid-template-columns: repeat(var(--columns), minmax(24px, 96px)); gap: 4px; }}
.fg-face {{ width: 100%; display: block; border-radius: 3px; }}
.fg-strip {{ display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: 4px;
  margin-top: .8rem; }}
.fg-edit {{ display: flex; flex-wrap: wrap; gap: 1rem 1.6rem; align-items: flex-start; }}
.fg-big {{ width: 152px; border-radius: 4px; display: block; }}
.fg-curve {{ width: 300px; max-width: 100%; }}
.fg-curve svg line {{ stroke: var(--fg-rule); stroke-width: 1; }}
.fg-curve svg polyline {{ fill: none; stroke-width: 2.2; stroke-linejoin: round; }}
.fg-line0 {{ stroke: var(--fg-blue); }}
.fg-line1 {{ stroke: var(--fg-rust); }}
.fg-curve p {{ margin: .2rem 0 0; font-size: .82rem; display: flex; flex-direction: column; }}
.fg-key0 {{ color: var(--fg-blue); }}
.fg-key1 {{ color: var(--fg-rust); }}
.fg-sheet {{ max-width: 100%; border-radius: 4px; background: #fff; }}
.fg-scroll {{ max-height: 30rem; overflow: auto; }}
.fg-table, .fg-table thead, .fg-table tbody, .fg-table tr {{ border: 0 !important; }}
.fg-table {{ border-collapse: collapse; font-size: .88rem; margin: .3rem 0; }}
.fg-table th, .fg-table td {{ text-align: right; padding: .22rem .8rem .22rem 0 !important; border: 0 !important;
  border-bottom: 1px solid var(--fg-rule) !important; font-variant-numeric: tabular-nums; white-space: pre-wrap; }}
.fg-table th:first-child, .fg-table td:first-child {{ text-align: left; }}
@media (max-width: 640px) {{
  .gradio-container .main.fillable {{ padding: 8px 12px !important; }}
  .tab-container button {{ padding: 0 .55rem !important; }}
  .fg-row {{ grid-template-columns: 1fr; gap: 0; }}
  .fg-big {{ width: 120px; }}
  .fg-crop {{ width: 96px; height: 96px; }}
}}
"""


def theme() -> Any:
    """Return Gradio's plain theme in the pictures' colours, without fonts from elsewhere."""
    import gradio as gr

    blue = gr.themes.Color(
        c50="#f3f6fa", c100="#e3ebf3", c200="#b9cde1", c300="#85a8ca", c400="#5182b0", c500=style.BLUE,
        c600=style.BLUE, c700="#274f77", c800="#1c3f63", c900="#15304b", c950="#0f2236", name="fergen",
    )  # fmt: skip
    base = gr.themes.Base(
        primary_hue=blue, secondary_hue=blue, neutral_hue=gr.themes.colors.slate, font=FONT, font_mono=MONO,
        radius_size=gr.themes.sizes.radius_sm, spacing_size=gr.themes.sizes.spacing_md,
    )  # fmt: skip
    return base.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#12161b",
        body_text_color=style.INK,
        body_text_color_subdued="#56606a",
        body_text_color_subdued_dark="#a3adb8",
        block_background_fill_dark="#1b2027",
        block_label_background_fill_dark="#1b2027",
        border_color_primary_dark="#333b44",
        input_background_fill_dark="#262d35",
        checkbox_background_color_dark="#262d35",
        checkbox_border_color_dark="#6b7682",
        block_border_width="1px",
        block_shadow="none",
        button_primary_background_fill=style.BLUE,
        button_primary_background_fill_hover="#274f77",
        button_primary_background_fill_dark="#3c6f9f",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )
