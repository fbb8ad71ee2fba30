using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Profile;

internal static class ProfileFeature
{
    public static void AddProfile(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton<IValidator<ProfileRequest>, ProfileRequestValidator>();

    /// <summary>The routes have no id: whoever calls gets their own profile, by the token's subject.</summary>
    public static void MapProfile(this IEndpointRouteBuilder routes)
    {
        var profile = routes.MapFeature("/profile", "Profile").RequireToken();

        profile.MapGetProfile();
        profile.MapPutProfile();
        profile.MapPatchProfile();
        profile.MapDeleteProfile();
        profile.MapExportProfile();
    }

    public static ProblemHttpResult None() => Problem.NotFound("profile_not_found", "You have no profile yet. PUT /profile creates it.");
}
