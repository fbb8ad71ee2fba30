using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Search;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Search;

/// <param name="Q">What to look for: 1 to 1,000 characters after trimming.</param>
/// <param name="Limit">How many passages at most: 1 to 20, 6 by default.</param>
internal sealed record SearchPassagesRequest([FromQuery] string? Q, [FromQuery] string? Limit)
{
    public const int MaxLength = 1000;
    public const int MaxLimit = 20;
    public const int DefaultLimit = 6;
}

internal sealed record SearchPassagesResponse(string Query, IReadOnlyList<FoundPassage> Passages);

/// <param name="Score">The index's own measure, higher is better; comparable within one answer only.</param>
/// <param name="Coverage">The share, 0 to 1, of the question's weight that the passage's words cover.</param>
internal sealed record FoundPassage(
    Guid Id, string Title, string Heading, IReadOnlyList<string> HeadingPath, string Url, string Text, double Score, double Coverage);

internal sealed class SearchPassagesValidator : AbstractValidator<SearchPassagesRequest>
{
    public SearchPassagesValidator()
    {
        RuleFor(r => r.Q).Cascade(CascadeMode.Stop)
            .NotEmpty().WithMessage("q is required: what to look for.")
            .Must(q => q!.Trim().Length <= SearchPassagesRequest.MaxLength).WithMessage($"q may have at most {SearchPassagesRequest.MaxLength} characters.")
            .StorableText();
        // Text until here, so that a limit that is no number gets the same kind of answer as one that is too large.
        RuleFor(r => r.Limit)
            .Must(l => int.TryParse(l, out var limit) && limit is >= 1 and <= SearchPassagesRequest.MaxLimit)
            .When(r => r.Limit is not null)
            .WithMessage($"limit must be a whole number from 1 to {SearchPassagesRequest.MaxLimit}.");
    }
}

internal static class SearchPassages
{
    public static void MapSearchPassages(this IEndpointRouteBuilder search) => search
        .MapGet("", HandleAsync)
        .WithName(nameof(SearchPassages))
        .Validate<SearchPassagesRequest>();

    /// <summary>The passages that a question would retrieve, best first, with their scores.</summary>
    /// <response code="200">What was found; an empty list where the book has nothing on it.</response>
    internal static async Task<Ok<SearchPassagesResponse>> HandleAsync(
        [AsParameters] SearchPassagesRequest request, IPassageIndex index, CancellationToken cancellationToken)
    {
        var question = request.Q!.Trim();
        var limit = request.Limit is { } text ? int.Parse(text) : SearchPassagesRequest.DefaultLimit;

        var passages = await index.SearchAsync(new(question, limit), cancellationToken);

        return TypedResults.Ok(new SearchPassagesResponse(question, [.. passages.Select(p => new FoundPassage(
            p.Id, p.Title, p.Heading, p.HeadingPath, p.Url, p.Text, p.Score, p.Coverage))]));
    }
}
