namespace ChatBackend.Bench.Cost;

/// <summary>One figure of the table.</summary>
/// <param name="Row">What was measured.</param>
/// <param name="Name">Unique in its row.</param>
/// <param name="Unit">ms, MB or /s; of the last, more is better.</param>
/// <param name="Aim">What the project aims at; null where it has none.</param>
internal sealed record Figure(string Row, string Name, double Value, string Unit, double? Aim = null)
{
    public bool IsMet => Aim is not { } aim || (Unit == "/s" ? Value >= aim : Value <= aim);

    /// <summary>Three digits: more would be noise.</summary>
    public static string Show(double value) => Math.Abs(value) switch { >= 100 => $"{value:#,0}", >= 10 => $"{value:0.0}", _ => $"{value:0.00}" };
}
