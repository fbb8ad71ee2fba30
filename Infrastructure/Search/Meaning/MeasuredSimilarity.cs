namespace ChatBackend.Infrastructure.Search.Meaning;

/// <param name="Value">The similarity from which on a passage is related to a question.</param>
/// <param name="Dimensions">Of the vectors that it was measured with.</param>
/// <param name="Basis">What it was measured with (<see cref="UnrelatedQuestions.BasisOf"/>).</param>
internal sealed record MeasuredSimilarity(double Value, int Dimensions, string Basis);
