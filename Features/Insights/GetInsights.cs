using System.ComponentModel.DataAnnotations;
using System.Globalization;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Insights;

/// <summary>What readers asked, and what the book did not answer.</summary>
/// <param name="Since">The start of the period.</param>
/// <param name="Grounding">How the completed turns were answered.</param>
/// <param name="Usage">Tokens, as far as the model reported them.</param>
/// <param name="Comments">What readers wrote about answers, newest first, at most 50.</param>
/// <param name="Unanswered">The most frequent questions that the book did not answer, at most 20. One that was regenerated counts once.</param>
internal sealed record InsightsResponse(
    DateTimeOffset Since, TurnCounts Turns, GroundingShares Grounding, FeedbackCounts Feedback, TokenSums Usage, IReadOnlyList<FeedbackComment> Comments,
    IReadOnlyList<UnansweredQuestion> Unanswered);

/// <param name="Stopped">Ended by their readers.</param>
/// <example>{"total":128,"completed":122,"failed":2,"stopped":3,"running":1}</example>
internal sealed record TurnCounts(int Total, int Completed, int Failed, int Stopped, int Running);

/// <summary>Shares of the completed turns without small talk, 0 to 1.</summary>
/// <param name="Grounded">The book answers it.</param>
/// <param name="Partial">The book covers part of it.</param>
/// <param name="None">The book does not cover it.</param>
/// <example>{"grounded":0.81,"partial":0.12,"none":0.07}</example>
internal sealed record GroundingShares(double Grounded, double Partial, double None);

/// <example>{"up":37,"down":4}</example>
internal sealed record FeedbackCounts(int Up, int Down);

/// <summary>A reader's comment on an answer.</summary>
/// <param name="Rating">The rating that came with it.</param>
/// <param name="Comment">The comment.</param>
/// <param name="Question">The question that was answered.</param>
/// <example>{"rating":"down","comment":"It describes the old version.","question":"How do I start a node?"}</example>
internal sealed record FeedbackComment([property: AllowedValues("up", "down")] string Rating, string Comment, string Question, DateTime CommentedAt);

/// <example>{"input_tokens":230000,"output_tokens":12000}</example>
internal sealed record TokenSums(long InputTokens, long OutputTokens);

/// <param name="Question">The latest wording.</param>
/// <param name="Count">How often it was asked, in any word order and inflection.</param>
/// <param name="Nearest">The heading that is nearest today; null when the book contains no word of the question.</param>
/// <example>{"question":"Which battery does the robot need?","count":3}</example>
internal sealed record UnansweredQuestion(string Question, int Count, DateTime LastAskedAt, NearestHeading? Nearest);

/// <summary>A place in the book.</summary>
/// <param name="Title">The page's title.</param>
/// <param name="Heading">The heading.</param>
/// <param name="Url">The page's address, ending in the heading's anchor.</param>
/// <example>{"title":"Sensors","heading":"Power","url":"/docs/perception/sensors#power"}</example>
internal sealed record NearestHeading(string Title, string Heading, string Url);

internal static class GetInsights
{
    private const int Days = 30;
    private const int Questions = 20;
    private const int Comments = 50;

    private const int Wordings = 2_000;

    public static void MapInsights(this IEndpointRouteBuilder routes) => routes
        .MapFeature("/chat", "Chat")
        .MapGet("/insights", HandleAsync)
        .WithName(nameof(GetInsights))
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_request", "since must be a date or a time such as 2026-11-01 or 2026-11-01T09:30:00Z.")
        .RequireIngestKey();

    /// <summary>What readers asked, how they were answered, and which questions the book does not answer.</summary>
    /// <remarks>Deleted conversations are counted by the hour in which their questions were asked; their texts are gone.</remarks>
    /// <param name="since">A date or a time (ISO 8601, UTC unless it has an offset); 30 days ago by default.</param>
    /// <response code="200">Counts and shares, and the questions that the book did not answer.</response>
    /// <response code="400">since is neither a date nor a time.</response>
    internal static async Task<Results<Ok<InsightsResponse>, ProblemHttpResult>> HandleAsync(
        NpgsqlDataSource database, IPassageIndex index, TimeProvider time, CancellationToken cancellationToken, string? since = null)
    {
        var from = time.GetUtcNow().AddDays(-Days);
        if (since is not null && !DateTimeOffset.TryParse(
            since, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out from))
            return Problem.Invalid("since", "must be a date or a time such as 2026-11-01 or 2026-11-01T09:30:00Z.");

        var (counts, feedback, comments, open) = await database.RetryAsync(
            async connection =>
            {
                await using var results = await connection.QueryMultipleAsync(new(Sql, new { from, Wordings, Comments, ModelNames.SmallTalk }, cancellationToken: cancellationToken));
                return (await results.ReadSingleAsync<CountsRow>(), await results.ReadSingleAsync<FeedbackCounts>(),
                    (await results.ReadAsync<FeedbackComment>()).AsList(), (await results.ReadAsync<WordingRow>()).AsList());
            },
            cancellationToken);

        var frequent = Together(open).OrderByDescending(q => q.Count).ThenByDescending(q => q.LastAskedAt).Take(Questions);
        var questions = new List<UnansweredQuestion>();
        // One at a time, because readers need the connections. Searched now, so that an author sees that a gap is filled.
        foreach (var question in frequent)
            questions.Add(question with { Nearest = await NearestAsync(index, question.Question, cancellationToken) });
        var asked = counts.Grounded + counts.Partial + counts.None;
        double Share(int count) => asked == 0 ? 0 : Math.Round((double)count / asked, 4);
        return TypedResults.Ok(new InsightsResponse(
            from, new(counts.Total, counts.Completed, counts.Failed, counts.Stopped, counts.Total - counts.Completed - counts.Failed - counts.Stopped),
            new(Share(counts.Grounded), Share(counts.Partial), Share(counts.None)),
            feedback, new(counts.InputTokens, counts.OutputTokens), comments, questions));
    }

    private const string Sql =
        """
        select
            sum(completed + failed + stopped + running)::integer as total, sum(completed)::integer as completed, sum(failed)::integer as failed,
            sum(stopped)::integer as stopped, sum(grounded)::integer as grounded, sum(partial)::integer as partial, sum(none)::integer as none,
            sum(input_tokens)::bigint as input_tokens, sum(output_tokens)::bigint as output_tokens
        from (
            select
                count(*) filter (where state = 'completed') as completed,
                count(*) filter (where state = 'failed') as failed,
                count(*) filter (where state = 'stopped') as stopped,
                count(*) filter (where state = 'running') as running,
                count(*) filter (where grounding = 'grounded') as grounded,
                count(*) filter (where grounding = 'partial') as partial,
                count(*) filter (where grounding = 'none' and model is distinct from @SmallTalk) as none,
                coalesce(sum(input_tokens), 0) as input_tokens,
                coalesce(sum(output_tokens), 0) as output_tokens
            from turns
            where created_at >= @from
            union all
            select completed, failed, stopped, 0, grounded, partial, none, input_tokens, output_tokens
            from deleted_turns
            where hour >= date_trunc('hour', @from, 'UTC')
        ) as counted;

        select sum(up)::integer as up, sum(down)::integer as down
        from (
            select count(*) filter (where f.rating = 'up') as up, count(*) filter (where f.rating = 'down') as down
            from turns as t
            join messages as m on m.session_id = t.session_id and m.position = t.number * 2
            join message_feedback as f on f.message_id = m.id
            where t.created_at >= @from
            union all
            select up, down
            from deleted_turns
            where hour >= date_trunc('hour', @from, 'UTC')
        ) as counted;

        select f.rating, f.comment, q.content as question, f.updated_at as commented_at
        from turns as t
        join messages as m on m.session_id = t.session_id and m.position = t.number * 2
        join message_feedback as f on f.message_id = m.id
        join messages as q on q.session_id = t.session_id and q.position = t.number * 2 - 1
        where t.created_at >= @from and f.comment <> ''
        order by f.updated_at desc, f.message_id
        limit @Comments;

        select (array_agg(m.content order by t.created_at desc))[1] as question, count(*)::integer as count, max(t.created_at) as last_asked_at
        from turns as t
        join messages as m on m.session_id = t.session_id and m.position = t.number * 2 - 1
        where t.created_at >= @from and t.grounding = 'none' and t.model is distinct from @SmallTalk
          and not exists (select from turns as again where again.id = t.superseded_by and again.request::text = t.request::text)
        group by md5(lower(m.content))
        order by count(*) desc, max(t.created_at) desc
        limit @Wordings
        """;

    private static IEnumerable<UnansweredQuestion> Together(IEnumerable<WordingRow> wordings) => wordings
        .GroupBy(w => string.Join(' ', TextAnalyzer.AnalyzeQuery(w.Question).Frequencies.Keys.Order(StringComparer.Ordinal)))
        .Select(same => new UnansweredQuestion(same.MaxBy(w => w.LastAskedAt)!.Question, same.Sum(w => w.Count), same.Max(w => w.LastAskedAt), null));

    private static async Task<NearestHeading?> NearestAsync(IPassageIndex index, string question, CancellationToken cancellationToken) =>
        await index.SearchAsync(new(question, Limit: 1), cancellationToken) is [var passage, ..] ? new(passage.Title, passage.Heading, passage.Url) : null;

    private sealed record CountsRow(int Total, int Completed, int Failed, int Stopped, int Grounded, int Partial, int None, long InputTokens, long OutputTokens);

    private sealed record WordingRow(string Question, int Count, DateTime LastAskedAt);
}
