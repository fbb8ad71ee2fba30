using System.ComponentModel;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Conversations;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Profile;

internal static class DeleteProfile
{
    public static void MapDeleteProfile(this IEndpointRouteBuilder profile) => profile
        .MapDelete("", HandleAsync)
        .WithName(nameof(DeleteProfile))
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed");

    /// <summary>Erase all that is stored about you</summary>
    /// <remarks>Your profile and your conversations, with their turns, feedback and idempotency keys, and the translations of your own texts, in one transaction. An answer that is being written is dropped. A question that arrives later begins anew. What was asked without a token is not found.</remarks>
    /// <response code="204">Nothing is stored about you, also if nothing was before.</response>
    /// <response code="412">The profile has changed since; nothing was erased.</response>
    internal static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch, CurrentReader reader,
        NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var parameters = new { reader.Subject, Versions = IfMatch.Versions(ifMatch) };
        var isErased = await database.RetryAsync(
            async connection =>
            {
                await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                // The lock holds back a change of the profile until it can find none.
                var isMatch = await connection.ExecuteScalarAsync<bool?>(Command(
                    "select @Versions::integer[] is null or version = any (@Versions) from profiles where user_id = @Subject for update"));
                // No profile is what the caller asks for: a repeated request is a 204, too.
                if (isMatch is false)
                    return false;

                await connection.ExecuteAsync(Command("delete from profiles where user_id = @Subject"));
                await connection.ExecuteAsync(Command("delete from translations where scope = 'user ' || @Subject"));
                await connection.ExecuteAsync(Command(DeletedConversations.Delete("s.user_id = @Subject")));
                await transaction.CommitAsync(cancellationToken);
                return true;

                CommandDefinition Command(string sql) => new(sql, parameters, transaction, cancellationToken: cancellationToken);
            },
            cancellationToken);

        return isErased ? TypedResults.NoContent() : IfMatch.Failed();
    }
}
