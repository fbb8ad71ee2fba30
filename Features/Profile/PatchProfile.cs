using System.ComponentModel;
using System.Text.Json;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Profile;

internal static class PatchProfile
{
    public static void MapPatchProfile(this IEndpointRouteBuilder profile) => profile
        .MapPatch("", HandleAsync)
        .WithName(nameof(PatchProfile))
        .AcceptsMergePatch<ProfileRequest>()
        .FailsWith(StatusCodes.Status404NotFound, "profile_not_found")
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed")
        .AnswersWithVersion();

    /// <summary>Change parts of your profile</summary>
    /// <remarks>A JSON merge patch (RFC 7396): what is left out stays, null removes, and interests are replaced as a whole.</remarks>
    /// <response code="200">The profile, its new version in ETag.</response>
    /// <response code="400">The patch is no object, or a field would not be valid; <c>errors</c> names it.</response>
    /// <response code="404">There is none yet.</response>
    /// <response code="412">The profile has changed since; nothing was written.</response>
    internal static async Task<Results<Ok<ProfileResponse>, ProblemHttpResult>> HandleAsync(
        JsonElement patch, [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch, CurrentReader reader,
        NpgsqlDataSource database, IValidator<ProfileRequest> rules, IOptions<JsonOptions> json, HttpResponse response, CancellationToken cancellationToken)
    {
        if (MergePatch.Fault(patch) is { } fault)
            return fault;
        var versions = IfMatch.Versions(ifMatch);

        // After a concurrent write nothing is stored. Merging again keeps changes to other parts.
        while (true)
        {
            if (await GetProfile.ReadAsync(database, reader, cancellationToken) is not { } before)
                return ProfileFeature.None();
            if (versions?.Contains(before.Version) is false)
                return IfMatch.Failed();

            var request = MergePatch.Apply<ProfileResponse, ProfileRequest>(before, patch, json.Value.SerializerOptions);
            if (await rules.ValidateAsync(request, cancellationToken) is { IsValid: false } result)
                return ValidationFilter.Invalid(result);

            if (await PutProfile.StoreAsync(database, PutProfile.Change, request.ToParameters(reader.Subject, [before.Version]), cancellationToken) is { } profile)
            {
                response.SetVersion(profile.Version);
                return TypedResults.Ok(profile);
            }
        }
    }
}
