namespace ChatBackend.Bench;

/// <summary>One thing that is measured.</summary>
internal interface IScenario
{
    string Name { get; }

    /// <summary>What its clients do, in a line.</summary>
    string Description { get; }

    /// <summary>What the project promises.</summary>
    Target Target { get; }

    /// <summary>Brings the database to the state that is measured.</summary>
    Task PrepareAsync(LoadRunner runner);

    /// <summary>One request, and its body read; false when the answer was not the right one.</summary>
    Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken);
}

/// <summary>A share of the requests that must be answered within a time.</summary>
internal sealed record Target(double Share, double Milliseconds)
{
    public bool Holds(Result result) => result.Errors == 0 && result.Percentile(Share) < Milliseconds;

    public override string ToString() => $"p{Share * 100:0} < {Milliseconds:0} ms";
}

/// <summary>What was measured.</summary>
/// <param name="Sorted">The milliseconds of every right answer, shortest first.</param>
internal sealed record Result(double[] Sorted, int Errors, double Seconds)
{
    public int Requests => Sorted.Length + Errors;

    public double PerSecond => Requests / Seconds;

    /// <summary>The time within which this share of the requests was answered.</summary>
    public double Percentile(double share) => Sorted.Length == 0 ? double.NaN : Sorted[Math.Max(0, (int)Math.Ceiling(share * Sorted.Length) - 1)];
}
