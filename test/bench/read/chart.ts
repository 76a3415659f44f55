/** A bar chart as SVG, for the README: one bar a server, by requests per second. */
export function barChart(
  title: string,
  bars: readonly { readonly name: string; readonly value: number }[],
): string {
  const [width, left, row] = [720, 250, 34];
  const most = Math.max(...bars.map(({ value }) => value));
  const rows = bars.map(({ name, value }, index) => {
    const y = 44 + index * row;
    const length = Math.max(1, ((width - left - 90) * value) / most);
    const fill = name.startsWith("lead view") ? "#2563eb" : "#94a3b8";
    return `  <text x="${left - 10}" y="${y + 16}" text-anchor="end">${name}</text>
  <rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="22" fill="${fill}"/>
  <text x="${left + length + 8}" y="${y + 16}">${Math.round(value).toLocaleString("en-US")}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${54 + bars.length * row}" font-family="sans-serif" font-size="13" fill="#334155">
  <title>${title}</title>
  <rect width="100%" height="100%" fill="#ffffff"/>
  <text x="10" y="24" font-size="15" font-weight="bold">${title}</text>
${rows.join("\n")}
</svg>
`;
}
