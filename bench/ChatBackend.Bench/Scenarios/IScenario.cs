namespace ChatBackend.Bench.Scenarios;

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
