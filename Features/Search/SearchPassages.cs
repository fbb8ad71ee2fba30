using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Search;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Search;

/// <summary>What to look for. Attributes are what OpenAPI shows.</summary>
internal sealed record SearchPassagesRequest
{
    [FromQuery(Name = "q"), Required, StringLength(PassageQuery.MaxLength, MinimumLength = 1), Example("how do nodes talk")]
    [Description("What to look for: 1 to 1,000 characters after trimming.")]
    public string? Q { get; init; }

    [FromQuery(Name = "limit"), Range(1, PassageQuery.MaxLimit), DefaultValue("6")]
    [Description("How many passages at most.")]
    public string? Limit { get; init; }
}

/// <summary>What was found.</summary>
/// <param name="Query">The question, trimmed.</param>
/// <param name="Passages">The passages, best first.</param>
/// <example>{"query":"how do nodes talk"}</example>
internal sealed record SearchPassagesResponse(string Query, IReadOnlyList<FoundPassage> Passages);

/// <summary>A passage of the book.</summary>
/// <param name="Id">Its id in the index.</param>
/// <param name="Title">The page's title.</param>
/// <param name="Heading">The heading it stands under.</param>
/// <param name="HeadingPath">That heading and those above it, outermost first.</param>
/// <param name="Url">The page's address, ending in the heading's anchor.</param>
/// <param name="Text">The passage itself.</param>
/// <param name="Score">The index's own measure, higher is better; comparable within one answer only.</param>
/// <param name="Coverage">The share, 0 to 1, of the question's weight that the passage's words cover. The question counts as half a word longer than it is, and as more in a large book.</param>
/// <example>{"title":"Nodes and Topics","heading":"How nodes talk to each other","heading_path":["Nodes and Topics","How nodes talk to each other"],
/// "url":"/docs/ros2/nodes-and-topics#how-nodes-talk","text":"Two ROS 2 nodes talk to each other over a topic: one publishes, the other subscribes.",
/// "score":11.42,"coverage":0.83}</example>
internal sealed record FoundPassage(
    Guid Id, string Title, string Heading, IReadOnlyList<string> HeadingPath, string Url, string Text, double Score, double Coverage);

internal sealed class SearchPassagesRequestValidator : AbstractValidator<SearchPassagesRequest>
{
    public SearchPassagesRequestValidator()
    {
        RuleFor(r => r.Q).Cascade(CascadeMode.Stop)
            .NotEmpty().WithMessage("q is required: what to look for.")
            .Must(q => q!.Trim().Length <= PassageQuery.MaxLength).WithMessage($"q may have at most {PassageQuery.MaxLength} characters.")
            .StorableText();
        RuleFor(r => r.Limit).WholeNumber("limit", 1, PassageQuery.MaxLimit);
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
    /// <response code="400">A parameter is not valid; <c>errors</c> names it.</response>
    internal static async Task<Ok<SearchPassagesResponse>> HandleAsync(
        [AsParameters] SearchPassagesRequest request, IPassageIndex index, CancellationToken cancellationToken)
    {
        var question = request.Q!.Trim();
        var limit = request.Limit is { } text ? int.Parse(text) : PassageQuery.DefaultLimit;

        var passages = await index.SearchAsync(new(question, limit), cancellationToken);

        return TypedResults.Ok(new SearchPassagesResponse(question, [.. passages.Select(p => new FoundPassage(
            p.Id, p.Title, p.Heading, p.HeadingPath, p.Url, p.Text, Math.Round(p.Score, 3), Math.Round(p.Coverage, 3)))]));
    }
}
