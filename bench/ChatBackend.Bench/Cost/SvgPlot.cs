using System.Text;

namespace ChatBackend.Bench.Cost;

/// <param name="X">What grows; the axis is logarithmic.</param>
/// <param name="Cost">Milliseconds of processor time of a turn.</param>
internal sealed record PlotPoint(int X, ProcessorTime Cost);

internal sealed record PlotPanel(string Title, IReadOnlyList<PlotPoint> Points);

/// <summary>Panels beside each other, with one line for the service and one for PostgreSQL. Each has its own scale.</summary>
internal static class SvgPlot
{
    private const int Width = 300;
    private const int Height = 220;
    private const int Left = 48;
    private const int Top = 56;
    private const int Gap = 40;

    private static readonly (string Name, string Color, Func<ProcessorTime, double?> Value)[] Lines =
        [("service", "#2563eb", cost => cost.Service), ("PostgreSQL", "#c2410c", cost => cost.Postgres)];

    public static Task WriteAsync(string path, string title, IReadOnlyList<PlotPanel> panels)
    {
        var width = Left + (panels.Count * (Width + Gap));
        var svg = new StringBuilder(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {Top + Height + 56}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{title}">
            <rect width="100%" height="100%" fill="#ffffff"/>
            <text x="{Left}" y="22" font-size="15" font-weight="600" fill="#111827">{title}</text>

            """);
        for (var i = 0; i < Lines.Length; i++)
            svg.Append($"""<text x="{Left + (i * 90)}" y="42" font-weight="600" fill="{Lines[i].Color}">{Lines[i].Name}</text>""").Append('\n');
        for (var i = 0; i < panels.Count; i++)
            Draw(svg, panels[i], Left + (i * (Width + Gap)));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return File.WriteAllTextAsync(path, svg.Append("</svg>\n").ToString());
    }

    private static void Draw(StringBuilder svg, PlotPanel panel, int left)
    {
        var most = NiceMaximum(panel.Points.SelectMany(p => Lines.Select(l => l.Value(p.Cost) ?? 0)).Max());
        for (var step = 0; step <= 4; step++)
        {
            var y = Y(most * step / 4);
            svg.Append($"""<line x1="{left}" x2="{left + Width}" y1="{y:0.0}" y2="{y:0.0}" stroke="#e5e7eb"/>""").Append('\n');
            svg.Append($"""<text x="{left - 6}" y="{y + 4:0.0}" text-anchor="end" fill="#6b7280">{most * step / 4:0.##}</text>""").Append('\n');
        }

        foreach (var point in panel.Points)
            svg.Append($"""<text x="{X(point):0.0}" y="{Top + Height + 18}" text-anchor="middle" fill="#6b7280">{point.X:#,0}</text>""").Append('\n');
        svg.Append($"""<text x="{left + (Width / 2)}" y="{Top + Height + 40}" text-anchor="middle" fill="#111827">{panel.Title}</text>""").Append('\n');

        foreach (var (_, color, value) in Lines)
        {
            var points = panel.Points.Select(p => (X: X(p), Value: value(p.Cost) ?? 0)).ToArray();
            svg.Append($"""<polyline points="{string.Join(' ', points.Select(p => $"{p.X:0.0},{Y(p.Value):0.0}"))}" fill="none" stroke="{color}" stroke-width="2"/>""").Append('\n');
            foreach (var (x, ms) in points)
            {
                svg.Append($"""<circle cx="{x:0.0}" cy="{Y(ms):0.0}" r="3.5" fill="{color}"/>""").Append('\n');
                svg.Append($"""<text x="{x:0.0}" y="{Y(ms) - 9:0.0}" text-anchor="middle" fill="{color}">{Figure.Show(ms)}</text>""").Append('\n');
            }
        }

        double Y(double ms) => Top + Height - (Height * ms / most);

        // With a margin at both sides for the numbers.
        double X(PlotPoint point)
        {
            var (first, last) = (Math.Log10(panel.Points[0].X), Math.Log10(panel.Points[^1].X));
            return left + 24 + ((Width - 48) * (Math.Log10(point.X) - first) / Math.Max(last - first, 1e-9));
        }
    }

    /// <summary>1, 2 or 5 times a power of ten, above the value.</summary>
    private static double NiceMaximum(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 0.01))));
        double[] steps = [1, 2, 4, 5, 10];
        return power * steps.First(step => step * power >= value * 1.05 || step == 10);
    }
}
